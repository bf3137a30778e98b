//! What the tests share: the command, the emulators, and a proxy that writes down every call.

pub(crate) mod archive;
pub(crate) mod chaos;
pub(crate) mod command;
pub(crate) mod emulator;
pub(crate) mod inventory;
pub(crate) mod moto;
pub(crate) mod objects;
pub(crate) mod pace;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod weather;
