//! The tables of one snapshot as DataFusion looks them up.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider,
    TableProvider,
};
use datafusion::common::Result;
use forewarn_lake::{Snapshot, TableSnapshot};

use crate::scope::Scope;
use crate::table::LakeTable;

/// The name of the one catalog, as `information_schema` shows it.
pub(crate) const CATALOG: &str = "forewarn";
/// The name of the one schema, PostgreSQL's default.
pub(crate) const SCHEMA: &str = "public";

/// The tables of a snapshot.
struct Tables {
    snapshot: Snapshot,
    scope: Scope,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Tables {
    /// The table, if there is one of this name that the query may see.
    fn visible(&self, name: &str) -> Option<TableSnapshot> {
        self.snapshot.table(name).filter(|table| self.scope.admits(table.schema()))
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        let names = self.snapshot.table_names().filter(|name| self.visible(name).is_some());
        names.map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = |table| -> Arc<dyn TableProvider> { Arc::new(LakeTable::new(table, self.scope.sees())) };
        Ok(self.visible(name).map(table))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.visible(name).is_some()
    }
}

/// The catalog of a query over `snapshot` that sees what `scope` says.
pub(crate) fn of(snapshot: Snapshot, scope: Scope) -> Result<Arc<dyn CatalogProviderList>> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(Tables { snapshot, scope }))?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(list))
}
