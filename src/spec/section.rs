//! How a section of the spec is written down: each key with its meaning, type, bounds and default in one place.

/// Defines a section. The doc comment of a key is what an editor, the docs and the starter spec say of it; its first sentence
/// stands alone in the README. `such as` is what a user is told who gives no keys at all.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, such as $example:literal {
            $($(#[$key_meta:meta])* pub $key:ident: $kind:ty = $default:expr,)*
        }
    ) => {
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        $(#[$meta])*
        #[serde(default, deny_unknown_fields, expecting = $example)]
        pub struct $name {
            $($(#[$key_meta])* pub $key: $kind,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }
    };
}
pub(super) use section;
