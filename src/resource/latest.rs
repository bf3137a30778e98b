//! An id that AWS makes up, shared between the resource that has it and those within it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the last look or change found, for the resources within. Clones share the value.
pub struct Latest<T>(Arc<Mutex<Option<T>>>);

impl<T: Clone> Latest<T> {
    pub fn get(&self) -> Option<T> {
        self.lock().clone()
    }

    pub fn set(&self, found: Option<T>) {
        *self.lock() = found;
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Latest<T> {
    // The value may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Latest")
    }
}
