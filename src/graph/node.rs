//! Numbers of nodes as types of their own.

/// Makes a type for the numbers of one kind of node, so that those of
/// different graphs cannot be mixed up. The algorithms of this module take
/// plain numbers; [`node`](Self::node) gives them.
macro_rules! node_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// The one of that number.
            #[inline]
            pub const fn new(number: u32) -> Self {
                Self(number)
            }

            /// Its number: its row in graphs over all of its kind.
            #[inline]
            pub const fn node(self) -> u32 {
                self.0
            }

            /// Its number as an index into columns.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

pub(crate) use node_number;
