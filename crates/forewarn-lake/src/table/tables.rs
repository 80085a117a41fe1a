//! The tables of a lake, each with its one writer.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::MutexGuard;

use super::delta::DeltaTable;
use super::engine::{LakeEngine, engine};
use super::schema::TableSchema;
use crate::error::LakeError;
use crate::store::ObjectFiles;

/// A table whose writer can be shared.
pub(crate) type SharedTable = Arc<Mutex<DeltaTable>>;

/// The tables, by name.
pub(crate) struct Tables {
    pub(crate) engine: Arc<LakeEngine>,
    store: ObjectFiles,
    known: RwLock<BTreeMap<String, SharedTable>>,
    /// Held while a table is created, so that two jobs do not both create it.
    creating: tokio::sync::Mutex<()>,
}

impl Tables {
    /// Opens every table of the store, and creates those of `built_in` that are missing. One that is not
    /// built in and cannot be opened is left out.
    pub(crate) async fn open(store: &ObjectFiles, built_in: Vec<TableSchema>) -> Result<Self, LakeError> {
        let found = store.tables().await?;
        let engine = engine(store)?;
        let opening = (Arc::clone(&engine), store.clone());
        let open = move || open_all(&found, &built_in, &opening.0, &opening.1);
        let tables =
            tokio::task::spawn_blocking(open).await.map_err(|error| LakeError::cut_off(&error))??;
        let known = tables.into_iter().map(|table| (table.schema.name.clone(), Arc::new(Mutex::new(table))));
        Ok(Self {
            engine,
            store: store.clone(),
            known: RwLock::new(known.collect()),
            creating: tokio::sync::Mutex::new(()),
        })
    }

    /// The table of that name.
    pub(crate) fn get(&self, name: &str) -> Option<SharedTable> {
        self.known.read().get(name).cloned()
    }

    /// The table of that name, which a user has asked for.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is none.
    pub(crate) fn find(&self, name: &str) -> Result<SharedTable, LakeError> {
        self.get(name).ok_or_else(|| LakeError::Query(format!("there is no table {name}")))
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<SharedTable> {
        self.known.read().values().cloned().collect()
    }

    /// While what comes back lives, no table is created by anyone else.
    pub(crate) async fn creating(&self) -> MutexGuard<'_, ()> {
        self.creating.lock().await
    }

    /// Opens the table `name` of the store for a look at it; it does not become one of these.
    pub(crate) async fn try_open(&self, name: &str) -> Result<DeltaTable, LakeError> {
        let (engine, store, name) = (Arc::clone(&self.engine), self.store.clone(), name.to_owned());
        let open = move || DeltaTable::open(&name, &engine, &store);
        tokio::task::spawn_blocking(open).await.map_err(|error| LakeError::cut_off(&error))?
    }

    /// Creates a table with the columns of `schema`. It is one of these once it is [added](Self::add).
    pub(crate) async fn create(&self, schema: TableSchema) -> Result<DeltaTable, LakeError> {
        let (engine, store) = (Arc::clone(&self.engine), self.store.clone());
        let create = move || DeltaTable::create(&schema, &engine, &store);
        tokio::task::spawn_blocking(create).await.map_err(|error| LakeError::cut_off(&error))?
    }

    /// Takes `table` in.
    pub(crate) fn add(&self, table: DeltaTable) -> SharedTable {
        let name = table.schema.name.clone();
        let shared = Arc::new(Mutex::new(table));
        self.known.write().insert(name, Arc::clone(&shared));
        shared
    }
}

/// Opens every table found, and creates the built-in ones that are missing.
fn open_all(
    found: &[String],
    built_in: &[TableSchema],
    engine: &Arc<LakeEngine>,
    store: &ObjectFiles,
) -> Result<Vec<DeltaTable>, LakeError> {
    let mut tables = Vec::new();
    for schema in built_in {
        let mut table = if found.contains(&schema.name) {
            DeltaTable::open(&schema.name, engine, store)?
        } else {
            DeltaTable::create(schema, engine, store)?
        };
        table.conform(schema)?;
        tables.push(table);
    }
    let of_jobs = found.iter().filter(|name| built_in.iter().all(|schema| schema.name != **name));
    for name in of_jobs {
        match DeltaTable::open(name, engine, store) {
            Ok(table) => tables.push(table),
            Err(error) => tracing::warn!(table = name, %error, "this table is left out"),
        }
    }
    Ok(tables)
}
