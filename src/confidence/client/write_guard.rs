//! The two questions that every write is asked.

/// Asked immediately before each write, after all waiting: whether this replica may still write.
pub trait WriteGuard: Send + Sync {
    /// Whether it may.
    fn may_write(&self) -> bool;
}

/// Asked when a write has its permit: whether it is still wanted. The wait may have been long.
pub type StillWanted<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// For a replica that is alone.
#[derive(Clone, Copy, Debug)]
pub struct AlwaysWrite;

impl WriteGuard for AlwaysWrite {
    fn may_write(&self) -> bool {
        true
    }
}
