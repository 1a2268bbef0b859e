//! Which functions of the operator table have a machine form, by OID.
//!
//! The operand lanes follow from the function's signature: operands of a mixed-width operation are widened to the wider type first,
//! as the kernels do.

use damask_functions::ScalarFunction;
use damask_types::{PhysicalType, TypeId};

/// What a comparison asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A function that can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Neg,
    Abs,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    /// The argument itself (unary plus).
    Same,
    Compare(Test),
    /// To the lane of the result type.
    Convert,
}

/// Types whose values lie in a lane that code works on.
pub(crate) fn has_lane(ty: TypeId) -> bool {
    matches!(
        ty.physical(),
        PhysicalType::Bool
            | PhysicalType::Int2
            | PhysicalType::Int4
            | PhysicalType::Int8
            | PhysicalType::Oid
            | PhysicalType::Float8
            | PhysicalType::Numeric
    )
}

/// The machine form of a function.
pub(crate) fn operation(function: &ScalarFunction) -> Option<Operation> {
    use Operation::{
        Abs, Add, BitAnd, BitNot, BitOr, BitXor, Compare, Convert, Div, Mod, Mul, Neg, Same, Sub,
    };
    Some(match function.oid.0 {
        // int2, int4, int8 and their mixtures; float8; numeric.
        176 | 178 | 841 | 179 | 177 | 1278 | 837 | 1274 | 463 | 218 | 1724 => Add,
        180 | 182 | 942 | 183 | 181 | 1279 | 838 | 1275 | 464 | 219 | 1725 => Sub,
        152 | 170 | 943 | 171 | 141 | 1280 | 839 | 1276 | 465 | 216 | 1726 => Mul,
        153 | 172 | 948 | 173 | 154 | 1281 | 840 | 1277 | 466 | 217 => Div,
        155 | 940 | 156 | 941 | 945 | 947 => Mod,
        213 | 212 | 462 | 220 | 1771 => Neg,
        1253 | 1398 | 1251 | 1397 | 1230 | 1396 | 221 | 1395 | 1704 | 1705 => Abs,
        1892 | 1898 | 1904 => BitAnd,
        1893 | 1899 | 1905 => BitOr,
        1894 | 1900 | 1906 => BitXor,
        1895 | 1901 | 1907 => BitNot,
        1911 | 1912 | 1910 | 1914 | 1915 => Same,
        // int2/4/8, mixtures, oid, date, time, timestamp, timestamptz, float8, bool, numeric.
        63 | 65 | 467 | 158 | 1850 | 159 | 852 | 1856 | 474 | 184 | 1086 | 1145 | 2052 | 1152
        | 293 | 60 | 1718 => Compare(Test::Equal),
        145 | 144 | 468 | 164 | 1851 | 165 | 853 | 1857 | 475 | 185 | 1091 | 1106 | 2053 | 1153
        | 294 | 84 | 1719 => Compare(Test::NotEqual),
        64 | 66 | 469 | 160 | 1852 | 161 | 854 | 1858 | 476 | 716 | 1087 | 1102 | 2054 | 1154
        | 295 | 56 | 1722 => Compare(Test::Less),
        148 | 149 | 471 | 166 | 1854 | 167 | 856 | 1860 | 478 | 717 | 1088 | 1103 | 2055 | 1155
        | 296 | 1691 | 1723 => Compare(Test::LessEqual),
        146 | 147 | 470 | 162 | 1853 | 163 | 855 | 1859 | 477 | 1638 | 1089 | 1104 | 2057
        | 1157 | 297 | 57 | 1720 => Compare(Test::Greater),
        151 | 150 | 472 | 168 | 1855 | 169 | 857 | 1861 | 479 | 1639 | 1090 | 1105 | 2056
        | 1156 | 298 | 1692 | 1721 => Compare(Test::GreaterEqual),
        // int8(int2), int4(int2), int8(int4), int2(int8), int4(int8), int2(int4).
        754 | 313 | 481 | 714 | 480 | 314 => Convert,
        // float8(int2), float8(int4), float8(int8), float8(numeric); numeric(int2), numeric(int4), numeric(int8).
        235 | 316 | 482 | 1746 | 1782 | 1740 | 1781 => Convert,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers above name what they are thought to name.
    #[test]
    fn oids_mean_what_the_operator_table_says() {
        let ends = |operation| -> &'static [&'static str] {
            match operation {
                Operation::Add => &["pl", "_add"],
                Operation::Sub => &["mi", "_sub"],
                Operation::Mul => &["mul"],
                Operation::Div => &["div"],
                Operation::Mod => &["mod"],
                Operation::Neg => &["um", "_uminus"],
                Operation::Abs => &["abs"],
                Operation::BitAnd => &["and"],
                Operation::BitOr => &["or"],
                Operation::BitXor => &["xor"],
                Operation::BitNot => &["not"],
                Operation::Same => &["up", "_uplus"],
                Operation::Compare(Test::Equal) => &["eq"],
                Operation::Compare(Test::NotEqual) => &["ne"],
                Operation::Compare(Test::Less) => &["lt"],
                Operation::Compare(Test::LessEqual) => &["le"],
                Operation::Compare(Test::Greater) => &["gt"],
                Operation::Compare(Test::GreaterEqual) => &["ge"],
                Operation::Convert => &["int2", "int4", "int8", "float8", "numeric"],
            }
        };
        let mut seen = 0;
        for oid in 0..6000 {
            let Some(function) =
                damask_functions::registry::function_by_oid(damask_types::Oid(oid))
            else {
                continue;
            };
            if let Some(operation) = operation(function) {
                seen += 1;
                assert!(
                    ends(operation).iter().any(|end| function.name.ends_with(end)),
                    "{oid} is {}, not {operation:?}",
                    function.name
                );
                assert!(function.args.iter().all(|ty| has_lane(*ty)), "{}", function.name);
                assert!(function.strict, "{}", function.name);
            }
        }
        assert_eq!(seen, 196, "every listed function exists");
    }
}
