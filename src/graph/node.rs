//! Numbers of nodes as types of their own.

/// Makes a type for the numbers of one kind of node, so that those of
/// different graphs cannot be mixed up. The algorithms of this module take
/// plain numbers; [`node`](Self::node) gives them.
macro_rules! node_number {
    ($(#[$doc:meta])* $visible:vis struct $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // One more than the number, so that an option takes no more room.
        $visible struct $name(std::num::NonZeroU32);

        impl $name {
            /// The one of that number.
            ///
            /// # Panics
            /// If the number is `u32::MAX`: there are never that many.
            #[inline]
            $visible const fn new(number: u32) -> Self {
                match std::num::NonZeroU32::new(number.wrapping_add(1)) {
                    Some(beyond) => Self(beyond),
                    None => panic!("fewer than 2^32 - 1 nodes"),
                }
            }

            /// Its number: its row in graphs over all of its kind.
            #[inline]
            $visible const fn node(self) -> u32 {
                self.0.get() - 1
            }

            /// Its number as an index into columns.
            #[inline]
            $visible const fn index(self) -> usize {
                self.node() as usize
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.node()).finish()
            }
        }
    };
}

pub(crate) use node_number;

node_number! {
    /// A node of a graph, where there may also be none.
    pub(crate) struct Node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_takes_no_more_room() {
        assert_eq!(size_of::<Option<Node>>(), size_of::<u32>());
        assert_eq!((Node::new(0).node(), Node::new(u32::MAX - 1).index()), (0, 0xffff_fffe));
        assert!(Node::new(1) < Node::new(2) && None < Some(Node::new(0)));
        assert_eq!(format!("{:?}", Node::new(7)), "Node(7)");
    }
}
