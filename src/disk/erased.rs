//! A visitor behind a pointer, so that the walk is compiled once for all that know and keep the
//! same of entries and directories, and not once for each visitor.

use std::any::Any;

use crate::fs::Stat;

use super::walk::{Item, Visitor, WalkDirectory, WalkEntry};

/// A [`Visitor::State`].
pub(super) type AnyState = Box<dyn Any + Send>;

/// What [`Visitor`] has, with a state of any type: of that visitor's, as it made it.
pub(super) trait Erased<T, C>: Sync {
    fn state(&self) -> AnyState;
    fn known(&self, state: &mut AnyState, ino: u64) -> Option<T>;
    fn met(&self, state: &mut AnyState, stat: &Stat) -> Option<T>;
    fn descend(&self, directory: &WalkDirectory<'_, C>, name: &[u8]) -> Option<C>;
    fn top(&self, state: &mut AnyState, at: &WalkDirectory<'_, C>, entry: &WalkEntry<'_, T>);
    /// The entries are those items, and their names are in `names`.
    fn directory(
        &self,
        state: &mut AnyState,
        directory: &WalkDirectory<'_, C>,
        items: &[Item<T>],
        names: &[u8],
    );
    fn failed(&self, state: &mut AnyState, path: u32);
}

impl<V: Visitor> Erased<V::Tag, V::Context> for V {
    fn state(&self) -> AnyState {
        Box::new(Visitor::state(self))
    }

    fn known(&self, state: &mut AnyState, ino: u64) -> Option<V::Tag> {
        Visitor::known(self, own::<V>(state), ino)
    }

    fn met(&self, state: &mut AnyState, stat: &Stat) -> Option<V::Tag> {
        Visitor::met(self, own::<V>(state), stat)
    }

    fn descend(
        &self,
        directory: &WalkDirectory<'_, V::Context>,
        name: &[u8],
    ) -> Option<V::Context> {
        Visitor::descend(self, directory, name)
    }

    fn top(
        &self,
        state: &mut AnyState,
        at: &WalkDirectory<'_, V::Context>,
        entry: &WalkEntry<'_, V::Tag>,
    ) {
        Visitor::top(self, own::<V>(state), at, entry);
    }

    fn directory(
        &self,
        state: &mut AnyState,
        directory: &WalkDirectory<'_, V::Context>,
        items: &[Item<V::Tag>],
        names: &[u8],
    ) {
        let entries = items.iter().map(|item| item.entry(names));
        Visitor::directory(self, own::<V>(state), directory, entries);
    }

    fn failed(&self, state: &mut AnyState, path: u32) {
        Visitor::failed(self, own::<V>(state), path);
    }
}

const OWN: &str = "a walk has the states of its own visitor";

/// The state as that visitor has it.
#[inline]
fn own<V: Visitor>(state: &mut AnyState) -> &mut V::State {
    // Not of the box, which may be any type as well.
    (**state).downcast_mut().expect(OWN)
}

/// The same at the end of a walk.
pub(super) fn into_own<V: Visitor>(state: AnyState) -> V::State {
    *state.downcast().expect(OWN)
}
