//! What two readers of a message can take for different things, and what was not looked into.

use std::fmt;

/// Names a list of words: the variants of an enum, each with its own word for conditions and logs.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its word in conditions, settings and reasons.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one of that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What readers of a message differ about. All readings that are known are inspected.
    Ambiguity {
        /// Two Content-Type fields that say different things.
        TwoContentTypes = "two-content-types",
        /// A Content-Type that has no type and subtype, or is broken after them.
        BrokenContentType = "broken-content-type",
        /// Content-Transfer-Encoding fields that clash, or one with something after the encoding.
        TwoEncodings = "two-encodings",
        /// An encoding that nobody knows.
        UnknownEncoding = "unknown-encoding",
        /// An encoding of a multipart, where RFC 2045 §6.4 allows none.
        EncodedMultipart = "encoded-multipart",
        /// Base64 or quoted-printable with octets that do not belong there, or that goes on after its end.
        BrokenEncoding = "broken-encoding",
        /// Boundary parameters that differ, or one that reads differently with comments, quotes and
        /// escapes undone or not.
        TwoBoundaries = "two-boundaries",
        /// A multipart without a boundary parameter.
        NoBoundary = "no-boundary",
        /// A boundary that stands nowhere in the body.
        UnusedBoundary = "unused-boundary",
        /// A multipart in another with the same boundary.
        ReusedBoundary = "reused-boundary",
        /// A line that begins with a boundary and goes on; or one after a bare CR.
        LongerBoundary = "longer-boundary",
        /// A multipart without the delimiter that ends it.
        NoEnd = "no-end",
        /// Parts after the delimiter that ends a multipart.
        AfterEnd = "after-end",
        /// A part's header with a line that is none of a field, or that no empty line ends.
        BrokenPartHeader = "broken-part-header",
        /// Names of an attachment with different extensions.
        TwoNames = "two-names",
        /// A name with characters that are not seen, or that turn the direction of writing.
        DeceptiveName = "deceptive-name",
        /// A charset that nobody knows.
        UnknownCharset = "unknown-charset",
        /// An encoded word in Subject, From, To or Reply-To that is cut or broken.
        BrokenEncodedWord = "broken-encoded-word",
    }
}

words! {
    /// Why something of a message was not looked into.
    Limit {
        /// Deeper nesting than `attachments.depth_max`.
        Depth = "mime-depth",
        /// More parts than `attachments.parts_max`.
        Parts = "mime-parts",
        /// More octets in all readings of the structure than are read.
        Readings = "mime-readings",
        /// A part's header with too many fields or octets.
        PartHeader = "part-header",
        /// More text than is decoded.
        Text = "text-bytes",
        /// More links than are kept.
        Links = "links",
        /// Archives in archives, deeper than `attachments.archive_depth_max`.
        ArchiveDepth = "archive-depth",
        /// More members than `attachments.archive_members_max`.
        ArchiveMembers = "archive-members",
        /// More octets than `attachments.archive_bytes_max`, unpacked.
        ArchiveBytes = "archive-bytes",
        /// An archive that grows more than `attachments.archive_ratio_max` times.
        ArchiveRatio = "archive-ratio",
        /// The body is longer than what was kept of it.
        BodyCut = "body-cut",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again() {
        for ambiguity in Ambiguity::ALL {
            assert_eq!(Ambiguity::from_word(ambiguity.as_str()), Some(*ambiguity));
        }
        for limit in Limit::ALL {
            assert_eq!(Limit::from_word(&limit.to_string()), Some(*limit));
        }
        assert_eq!(Limit::from_word("mime"), None);
    }
}
