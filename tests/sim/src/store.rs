//! An object store in memory that fails as S3 does: requests fail before or after their effect, have it late,
//! or twice. It is as consistent as S3: what has had its effect is seen by every request from then on, and a
//! conditional put holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use forewarn_types::{Clock as _, Timestamp};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

use crate::ledger::{Ledger, Rewrite};
use crate::world::{Device, Fate, World};

/// No request is under way for longer, µs.
pub const MAX_DELAY_US: i64 = 120_000_000;

/// What the store holds; it outlives every life of the program.
#[derive(Default)]
pub struct Objects {
    map: BTreeMap<Path, Object>,
    /// Effects that are to come: at which request, or by what time, µs.
    late: Vec<(u64, i64, Effect)>,
    /// What the Delta logs say.
    pub ledger: Ledger,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    modified: Timestamp,
}

/// What a request does to the store.
#[derive(Clone)]
enum Effect {
    Put { location: Path, bytes: Bytes, create: bool },
    Delete { location: Path },
}

/// The store as one life of the program sees it.
#[derive(Clone)]
pub struct SimStore {
    world: Arc<World>,
    objects: Arc<Mutex<Objects>>,
    life: u64,
}

impl Objects {
    /// The object at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Bytes> {
        self.map.get(&Path::from(path)).map(|object| object.bytes.clone())
    }

    /// The clock shows `now`, µs. It may have jumped back, and no request takes longer for that.
    pub fn hear(&mut self, now: i64) {
        self.ledger.hear(now);
        for (_, due, _) in &mut self.late {
            *due = now.saturating_add(MAX_DELAY_US).min(*due);
        }
    }

    /// Another program puts a file with the same rows in the place of one of `table`, as `OPTIMIZE` in Spark
    /// does; false if it has none.
    pub fn rewrite_one(&mut self, table: &str, chance: &mut fastrand::Rng, world: &World) -> bool {
        let place = chance.usize(0..self.ledger.live(table).count().max(1));
        let Some(Rewrite { from, to, commit_path, commit }) = self.ledger.rewrite(table, place) else {
            return false;
        };
        let Some(bytes) = self.get(&from) else { return false };
        world.note(&format_args!("    {from} becomes {to}"));
        for (path, bytes) in [(to, bytes), (commit_path, commit.into())] {
            let put = Effect::Put { location: Path::from(path), bytes, create: true };
            if let Err(error) = self.apply(put, false, world) {
                world.accuse(error.to_string());
            }
        }
        true
    }

    /// Carries out `effect`, right away or `late`.
    fn apply(&mut self, effect: Effect, late: bool, world: &World) -> Result<()> {
        let now = world.clock.now();
        match effect {
            Effect::Put { location, create: true, .. } if self.map.contains_key(&location) => {
                Err(Error::AlreadyExists { path: location.to_string(), source: "it is there".into() })
            }
            Effect::Put { location, bytes, .. } => {
                let Self { map, ledger, .. } = self;
                let size_of = |path: &str| map.get(&Path::from(path)).map(|object| object.bytes.len() as u64);
                if let Err(problem) = ledger.put(location.as_ref(), &bytes, now.0, size_of) {
                    world.accuse(problem);
                }
                map.insert(location, Object { bytes, modified: now });
                Ok(())
            }
            Effect::Delete { location } => {
                if let Err(problem) = self.ledger.delete(location.as_ref(), (!late).then_some(now.0)) {
                    world.accuse(problem);
                }
                self.map.remove(&location);
                Ok(())
            }
        }
    }

    /// Carries out what is due by the request number `request`.
    fn catch_up(&mut self, request: u64, world: &World) {
        let now = world.clock.now().0;
        let is_due = |late: &(u64, i64, Effect)| late.0 <= request || late.1 <= now;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(is_due);
        self.late = later;
        for (_, _, effect) in due {
            let outcome = self.apply(effect.clone(), true, world);
            world.note(&format_args!("late {}: {}", effect.location(), outcome.is_ok()));
        }
    }
}

impl Effect {
    const fn location(&self) -> &Path {
        match self {
            Self::Put { location, .. } | Self::Delete { location } => location,
        }
    }
}

impl SimStore {
    /// `objects` as the program sees them in its life number `life`.
    #[must_use]
    pub const fn new(world: Arc<World>, objects: Arc<Mutex<Objects>>, life: u64) -> Self {
        Self { world, objects, life }
    }

    /// A request that changes nothing.
    fn read(&self, kind: &'static str, path: &str) -> Result<()> {
        let fate = self.world.judge(self.life, Device::Store, kind, path);
        if fate == Fate::Dead {
            return Err(away(fate));
        }
        self.objects.lock().catch_up(self.world.requests(), &self.world);
        if fate == Fate::Works { Ok(()) } else { Err(away(fate)) }
    }

    /// A request that changes something.
    fn change(&self, kind: &'static str, effect: Effect) -> Result<()> {
        let fate = self.world.judge(self.life, Device::Store, kind, effect.location().as_ref());
        if fate == Fate::Dead {
            return Err(away(fate));
        }
        let mut objects = self.objects.lock();
        let request = self.world.requests();
        objects.catch_up(request, &self.world);
        match fate {
            Fate::Works => objects.apply(effect, false, &self.world),
            Fate::Twice => {
                // The client hears the second answer only.
                let _first = objects.apply(effect.clone(), false, &self.world);
                objects.apply(effect, false, &self.world)
            }
            Fate::Lost | Fate::DiesAfter => {
                let _unheard = objects.apply(effect, false, &self.world);
                Err(away(fate))
            }
            Fate::Late => {
                let due = request + self.world.chance("late").u64(1..40);
                objects.late.push((due, self.world.clock.now().0 + MAX_DELAY_US, effect));
                Err(away(fate))
            }
            Fate::Fails | Fate::Full | Fate::DiesBefore | Fate::Dead => Err(away(fate)),
        }
    }

    fn metas(&self, prefix: Option<&Path>, after: Option<&Path>) -> Vec<Result<ObjectMeta>> {
        let root = Path::default();
        let prefix = prefix.unwrap_or(&root);
        if let Err(error) = self.read("list", prefix.as_ref()) {
            return vec![Err(error)];
        }
        let objects = self.objects.lock();
        let below =
            objects.map.range(prefix..).take_while(|(path, _)| path.as_ref().starts_with(prefix.as_ref()));
        let inside = below
            .filter(|(path, _)| path.prefix_match(prefix).is_some_and(|mut parts| parts.next().is_some()));
        inside
            .filter(|(path, _)| after.is_none_or(|after| *path > after))
            .map(|(path, object)| Ok(meta(path, object)))
            .collect()
    }
}

fn meta(location: &Path, object: &Object) -> ObjectMeta {
    let last_modified = DateTime::from_timestamp_micros(object.modified.0).unwrap_or_default();
    ObjectMeta {
        location: location.clone(),
        last_modified,
        size: object.bytes.len() as u64,
        e_tag: None,
        version: None,
    }
}

fn away(fate: Fate) -> Error {
    Error::Generic { store: "simulated", source: format!("{fate:?}").into() }
}

fn unknown(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "the simulated store".to_owned() }
}

impl fmt::Debug for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStore").field("life", &self.life).finish_non_exhaustive()
    }
}

impl fmt::Display for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated store")
    }
}

#[async_trait]
impl ObjectStore for SimStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(unknown("conditional update")),
        };
        let bytes: Bytes = payload.into();
        // The Delta kernel puts ids of its own and the real time into its log.
        if !location.as_ref().contains("/_delta_log/") {
            self.world.note_content(&bytes);
        }
        self.change("put", Effect::Put { location: location.clone(), bytes, create })?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(unknown("multipart upload"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read(if options.head { "head" } else { "get" }, location.as_ref())?;
        let found = self.objects.lock().map.get(location).cloned();
        let object = found.ok_or_else(|| Error::NotFound {
            path: location.to_string(),
            source: "there is no such object".into(),
        })?;
        let size = object.bytes.len() as u64;
        let range = match options.range {
            Some(range) => range
                .as_range(size)
                .map_err(|error| Error::Generic { store: "simulated", source: Box::new(error) })?,
            None => 0..size,
        };
        let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        let bytes = object.bytes.slice(at(range.start)..at(range.end));
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        Ok(GetResult {
            payload,
            meta: meta(location, &object),
            range,
            attributes: object_store::Attributes::default(),
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let location = location?;
            store.change("delete", Effect::Delete { location: location.clone() })?;
            Ok(location)
        };
        locations.map(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(self.metas(prefix, None)).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(self.metas(prefix, Some(offset))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = Path::default();
        let at = prefix.unwrap_or(&root);
        let (mut folders, mut objects) = (std::collections::BTreeSet::new(), Vec::new());
        for meta in self.metas(prefix, None) {
            let meta = meta?;
            let parts: Vec<_> = meta.location.prefix_match(at).into_iter().flatten().collect();
            match parts.as_slice() {
                [_] => objects.push(meta),
                [folder, ..] => drop(folders.insert(at.clone().join(folder.clone()))),
                [] => {}
            }
        }
        Ok(ListResult { common_prefixes: folders.into_iter().collect(), objects })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unknown("copy"))
    }
}
