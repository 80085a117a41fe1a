//! The tables of one snapshot as DataFusion looks them up.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider,
    TableProvider,
};
use datafusion::common::Result;
use forewarn_lake::Snapshot;

use crate::table::LakeTable;

/// The name of the one catalog, as `information_schema` shows it.
pub(crate) const CATALOG: &str = "forewarn";
/// The name of the one schema, PostgreSQL's default.
pub(crate) const SCHEMA: &str = "public";

/// The tables of a snapshot.
struct Tables(Snapshot);

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tables").field(&self.0).finish()
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.0.table_names().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.0.table(name).map(|table| -> Arc<dyn TableProvider> { Arc::new(LakeTable::new(table)) }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.table(name).is_some()
    }
}

/// The catalog of a query over `snapshot`.
pub(crate) fn of(snapshot: Snapshot) -> Result<Arc<dyn CatalogProviderList>> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(Tables(snapshot)))?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(list))
}
