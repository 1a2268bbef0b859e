//! `md5` and the SHA-2 functions.

use super::bytea::hex;
use crate::registry::{ScalarFunction, family};
use crate::rows::map1;
use md5::Md5;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

fn digest<D: Digest>(message: &[u8]) -> Vec<u8> {
    D::digest(message).to_vec()
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    2311 md5(Text) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| hex(&Md5::digest(text)));
    2321 md5(Bytea) -> Text: strict immutable = |c, a| map1(c, a, |bytes: &[u8]| hex(&Md5::digest(bytes)));
    3419 sha224(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, digest::<Sha224>);
    3420 sha256(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, digest::<Sha256>);
    3421 sha384(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, digest::<Sha384>);
    3422 sha512(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, digest::<Sha512>);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_abc() {
        assert_eq!(hex(&digest::<Md5>(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            hex(&digest::<Sha224>(b"abc")),
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"
        );
        assert_eq!(
            hex(&digest::<Sha256>(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(
            hex(&digest::<Sha384>(b"abc"))
                .starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0ede")
        );
        assert!(
            hex(&digest::<Sha512>(b"abc"))
                .starts_with("ddaf35a193617abacc417349ae20413112e6fa4e89a9")
        );
    }
}
