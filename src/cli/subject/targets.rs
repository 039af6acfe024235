//! The paths that names mean in the store.

use super::{RUNNING_SYSTEM, Subject};
use crate::catalog::{Catalog, PathId};
use crate::census::{self, Examine, Named, NamedBy, TargetError, match_pattern, resolve_target};
use crate::cli::exit::Failure;
use crate::cli::input;
use crate::cli::kept::Kept;
use crate::cli::request::Request;
use crate::graph::{NodeSet, roots};
use crate::text::escape;
use std::borrow::Cow;
use std::collections::HashSet;

impl Subject {
    /// The ids of targets, each once; a glob means all that it matches.
    pub(in crate::cli) fn targets(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
    ) -> Result<Vec<PathId>, Failure> {
        let mut ids = Vec::new();
        let mut add = |name: &str| -> Result<(), Failure> {
            if census::is_pattern(name)
                && let Named { ids: all, by: NamedBy::Pattern } = self.named(catalog, None, name)?
            {
                ids.extend(all);
            } else {
                ids.push(self.target(request, catalog, None, name)?);
            }
            Ok(())
        };
        for name in names {
            if input::is_standard_input(name) {
                input::read("targets")?
                    .lines()
                    .filter(|line| !line.is_empty())
                    .try_for_each(&mut add)?;
            } else {
                add(name)?;
            }
        }
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
        match ids.is_empty() && !names.is_empty() {
            true => Err(Failure::usage("there is no target on standard input")),
            false => Ok(ids),
        }
    }

    /// The same; without names the running system, where there is one; `None` is all
    /// paths. What is taken in place of names is said.
    pub(in crate::cli) fn targets_or_system(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
        all: bool,
    ) -> Result<Option<Vec<PathId>>, Failure> {
        if all {
            self.need_whole("--all")?;
            return Ok(None);
        }
        if !names.is_empty() {
            return self.targets(request, catalog, names).map(Some);
        }
        if let Some(targets) = self.kept.as_ref().and_then(Kept::targets) {
            request.note("no target given: this is what the snapshot is of");
            return Ok(Some(targets.to_vec()));
        }
        let Some(system) = self.running_system(catalog) else {
            request.note(format_args!(
                "no target given, and no {RUNNING_SYSTEM}: these are all valid paths"
            ));
            return Ok(None);
        };
        let path = catalog.path(system);
        request.note(format_args!(
            "no target given: this is the running system, {RUNNING_SYSTEM}, {path}"
        ));
        Ok(Some(vec![system]))
    }

    /// The running system, where there is one.
    pub(in crate::cli) fn running_system(&self, catalog: &Catalog) -> Option<PathId> {
        if let Some(kept) = &self.kept {
            return kept.running_system;
        }
        let system = self.named_target(catalog, None, RUNNING_SYSTEM).ok()?;
        (system.by == NamedBy::Exactly).then(|| system.ids[0])
    }

    /// What is examined for targets, the running system or `--all`: closures, or
    /// with `no_closure` the paths alone.
    pub(in crate::cli) fn examined(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
        no_closure: bool,
    ) -> Result<Examine, Failure> {
        let targets = self.targets_or_system(request, catalog, names, request.rows().all)?;
        Ok(match (targets, no_closure) {
            (None, _) => Examine::All,
            (Some(targets), false) => Examine::Closure(targets),
            (Some(targets), true) => Examine::Only(targets),
        })
    }

    /// The ids of targets; where the whole store is asked for, what nothing else refers to,
    /// from which all of it is reached.
    pub(in crate::cli) fn targets_or_all(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
    ) -> Result<Vec<PathId>, Failure> {
        if !request.rows().all {
            return self.targets(request, catalog, names);
        }
        self.need_whole("--all")?;
        let all = NodeSet::from_nodes(catalog.len(), catalog.ids().map(PathId::node));
        Ok(roots(catalog.references(), &all).into_iter().map(PathId::new).collect())
    }

    /// The id of a target, among some or in all.
    pub(in crate::cli) fn target(
        &self,
        request: &Request,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        name: &str,
    ) -> Result<PathId, TargetError> {
        let named = self.named_target(catalog, among, name)?;
        self.tell_hash_prefix(request, catalog, name, &named);
        Ok(named.ids[0])
    }

    /// The same as one path, and how it is named.
    pub(in crate::cli) fn named_target(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        name: &str,
    ) -> Result<Named, TargetError> {
        let name = &self.meant(catalog, name);
        let (id, by) = resolve_target(self.names_location(), catalog, &self.names, among, name)?;
        Ok(Named { ids: vec![id], by })
    }

    /// What a name stands for: the running system of a snapshot is not this machine's.
    fn meant<'n>(&self, catalog: &Catalog, name: &'n str) -> Cow<'n, str> {
        match self.kept.as_ref().and_then(|kept| kept.running_system) {
            Some(system) if name == RUNNING_SYSTEM => catalog.path(system).into(),
            _ => name.into(),
        }
    }

    /// All paths that a pattern names, among some or in all; never none.
    pub(in crate::cli) fn named(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        pattern: &str,
    ) -> Result<Named, TargetError> {
        let pattern = &self.meant(catalog, pattern);
        match_pattern(self.names_location(), catalog, &self.names, among, pattern)
    }

    /// The ids of all paths that a pattern names, among some or in all; never none.
    pub(in crate::cli) fn matches(
        &self,
        request: &Request,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        pattern: &str,
    ) -> Result<Vec<PathId>, TargetError> {
        let named = self.named(catalog, among, pattern)?;
        self.tell_hash_prefix(request, catalog, pattern, &named);
        Ok(named.ids)
    }

    /// What is found in a closure, else what is found in the whole store.
    pub(in crate::cli) fn within_first<T>(
        &self,
        closure: &[PathId],
        find: impl Fn(Option<&[PathId]>) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        match find(Some(closure)) {
            Err(TargetError::NotExamined { .. }) => find(None),
            found => found,
        }
    }

    /// Says so where a text was taken for the beginning of a hash part.
    pub(in crate::cli) fn tell_hash_prefix(
        &self,
        request: &Request,
        catalog: &Catalog,
        text: &str,
        named: &Named,
    ) {
        if let (NamedBy::HashPrefix, [id]) = (named.by, &named.ids[..]) {
            let (text, path) = (escape(text.as_bytes()), catalog.path(*id));
            request
                .note(format_args!("'{text}' is taken for the beginning of a hash part: {path}"));
        }
    }
}
