//! File systems, numbered as a scan meets them.

use std::sync::{PoisonError, RwLock};

/// Small numbers for devices: 0 is the store directory's.
pub(super) struct Devices {
    store: u64,
    list: RwLock<Vec<u64>>,
}

impl Devices {
    pub(super) fn new(store: u64) -> Self {
        Self { store, list: RwLock::new(vec![store]) }
    }

    /// The store directory's.
    pub(super) fn first(&self) -> u64 {
        self.store
    }

    pub(super) fn index(&self, dev: u64) -> u32 {
        if dev == self.store {
            return 0;
        }
        let find = |list: &[u64]| list.iter().position(|&d| d == dev).map(|i| i as u32);
        let found = find(&self.list.read().unwrap_or_else(PoisonError::into_inner));
        found.unwrap_or_else(|| {
            let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
            find(&list).unwrap_or_else(|| {
                list.push(dev);
                (list.len() - 1) as u32
            })
        })
    }

    pub(super) fn into_list(self) -> Vec<u64> {
        self.list.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
