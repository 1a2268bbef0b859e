//! SQLSTATE codes: five characters that say what kind of error it is.
//!
//! Names and codes are those of PostgreSQL's appendix "PostgreSQL Error Codes".

use std::fmt;

/// A SQLSTATE: five digits or capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a SQLSTATE is ASCII")
    }

    /// Whether a row violates a constraint (class 23).
    pub fn is_integrity_violation(&self) -> bool {
        self.0.starts_with(b"23")
    }

    /// Whether a value is not what it should be (class 22).
    pub fn is_data_exception(&self) -> bool {
        self.0.starts_with(b"22")
    }

    /// The code for `text`, if it has five digits or capital letters.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes: [u8; 5] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()).then_some(Self(bytes))
    }

    /// 00000
    pub const SUCCESSFUL_COMPLETION: Self = Self(*b"00000");
    /// 01000
    pub const WARNING: Self = Self(*b"01000");
    /// 01004
    pub const STRING_DATA_RIGHT_TRUNCATION_WARNING: Self = Self(*b"01004");
    /// 02000
    pub const NO_DATA: Self = Self(*b"02000");
    /// 03000
    pub const SQL_STATEMENT_NOT_YET_COMPLETE: Self = Self(*b"03000");
    /// 08000
    pub const CONNECTION_EXCEPTION: Self = Self(*b"08000");
    /// 08003
    pub const CONNECTION_DOES_NOT_EXIST: Self = Self(*b"08003");
    /// 08006
    pub const CONNECTION_FAILURE: Self = Self(*b"08006");
    /// 08P01
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    /// 0A000
    pub const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    /// 0B000
    pub const INVALID_TRANSACTION_INITIATION: Self = Self(*b"0B000");
    /// 20000
    pub const CASE_NOT_FOUND: Self = Self(*b"20000");
    /// 21000
    pub const CARDINALITY_VIOLATION: Self = Self(*b"21000");
    /// 22000
    pub const DATA_EXCEPTION: Self = Self(*b"22000");
    /// 2202E
    pub const ARRAY_SUBSCRIPT_ERROR: Self = Self(*b"2202E");
    /// 22021
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self(*b"22021");
    /// 22008
    pub const DATETIME_FIELD_OVERFLOW: Self = Self(*b"22008");
    /// 22012
    pub const DIVISION_BY_ZERO: Self = Self(*b"22012");
    /// 2200B
    pub const ESCAPE_CHARACTER_CONFLICT: Self = Self(*b"2200B");
    /// 22022
    pub const INDICATOR_OVERFLOW: Self = Self(*b"22022");
    /// 22015
    pub const INTERVAL_FIELD_OVERFLOW: Self = Self(*b"22015");
    /// 2201E
    pub const INVALID_ARGUMENT_FOR_LOGARITHM: Self = Self(*b"2201E");
    /// 22014
    pub const INVALID_ARGUMENT_FOR_NTILE_FUNCTION: Self = Self(*b"22014");
    /// 22016
    pub const INVALID_ARGUMENT_FOR_NTH_VALUE_FUNCTION: Self = Self(*b"22016");
    /// 2201F
    pub const INVALID_ARGUMENT_FOR_POWER_FUNCTION: Self = Self(*b"2201F");
    /// 2201G
    pub const INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION: Self = Self(*b"2201G");
    /// 22018
    pub const INVALID_CHARACTER_VALUE_FOR_CAST: Self = Self(*b"22018");
    /// 22007
    pub const INVALID_DATETIME_FORMAT: Self = Self(*b"22007");
    /// 22019
    pub const INVALID_ESCAPE_CHARACTER: Self = Self(*b"22019");
    /// 22025
    pub const INVALID_ESCAPE_SEQUENCE: Self = Self(*b"22025");
    /// 22023
    pub const INVALID_PARAMETER_VALUE: Self = Self(*b"22023");
    /// 22013
    pub const INVALID_PRECEDING_OR_FOLLOWING_SIZE: Self = Self(*b"22013");
    /// 2201B
    pub const INVALID_REGULAR_EXPRESSION: Self = Self(*b"2201B");
    /// 2201W
    pub const INVALID_ROW_COUNT_IN_LIMIT_CLAUSE: Self = Self(*b"2201W");
    /// 2201X
    pub const INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE: Self = Self(*b"2201X");
    /// 22009
    pub const INVALID_TIME_ZONE_DISPLACEMENT_VALUE: Self = Self(*b"22009");
    /// 22004
    pub const NULL_VALUE_NOT_ALLOWED: Self = Self(*b"22004");
    /// 22003
    pub const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self(*b"22003");
    /// 2200H
    pub const SEQUENCE_GENERATOR_LIMIT_EXCEEDED: Self = Self(*b"2200H");
    /// 22026
    pub const STRING_DATA_LENGTH_MISMATCH: Self = Self(*b"22026");
    /// 22001
    pub const STRING_DATA_RIGHT_TRUNCATION: Self = Self(*b"22001");
    /// 22011
    pub const SUBSTRING_ERROR: Self = Self(*b"22011");
    /// 22027
    pub const TRIM_ERROR: Self = Self(*b"22027");
    /// 22024
    pub const UNTERMINATED_C_STRING: Self = Self(*b"22024");
    /// 22P01
    pub const FLOATING_POINT_EXCEPTION: Self = Self(*b"22P01");
    /// 22P02
    pub const INVALID_TEXT_REPRESENTATION: Self = Self(*b"22P02");
    /// 22P03
    pub const INVALID_BINARY_REPRESENTATION: Self = Self(*b"22P03");
    /// 22P04
    pub const BAD_COPY_FILE_FORMAT: Self = Self(*b"22P04");
    /// 22P05
    pub const UNTRANSLATABLE_CHARACTER: Self = Self(*b"22P05");
    /// 22030
    pub const DUPLICATE_JSON_OBJECT_KEY_VALUE: Self = Self(*b"22030");
    /// 23000
    pub const INTEGRITY_CONSTRAINT_VIOLATION: Self = Self(*b"23000");
    /// 23001
    pub const RESTRICT_VIOLATION: Self = Self(*b"23001");
    /// 23502
    pub const NOT_NULL_VIOLATION: Self = Self(*b"23502");
    /// 23503
    pub const FOREIGN_KEY_VIOLATION: Self = Self(*b"23503");
    /// 23505
    pub const UNIQUE_VIOLATION: Self = Self(*b"23505");
    /// 23514
    pub const CHECK_VIOLATION: Self = Self(*b"23514");
    /// 23P01
    pub const EXCLUSION_VIOLATION: Self = Self(*b"23P01");
    /// 24000
    pub const INVALID_CURSOR_STATE: Self = Self(*b"24000");
    /// 25000
    pub const INVALID_TRANSACTION_STATE: Self = Self(*b"25000");
    /// 25001
    pub const ACTIVE_SQL_TRANSACTION: Self = Self(*b"25001");
    /// 25006
    pub const READ_ONLY_SQL_TRANSACTION: Self = Self(*b"25006");
    /// 25P01
    pub const NO_ACTIVE_SQL_TRANSACTION: Self = Self(*b"25P01");
    /// 25P02
    pub const IN_FAILED_SQL_TRANSACTION: Self = Self(*b"25P02");
    /// 25P03
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: Self = Self(*b"25P03");
    /// 26000
    pub const INVALID_SQL_STATEMENT_NAME: Self = Self(*b"26000");
    /// 27000
    pub const TRIGGERED_DATA_CHANGE_VIOLATION: Self = Self(*b"27000");
    /// 28000
    pub const INVALID_AUTHORIZATION_SPECIFICATION: Self = Self(*b"28000");
    /// 28P01
    pub const INVALID_PASSWORD: Self = Self(*b"28P01");
    /// 2BP01
    pub const DEPENDENT_OBJECTS_STILL_EXIST: Self = Self(*b"2BP01");
    /// 2D000
    pub const INVALID_TRANSACTION_TERMINATION: Self = Self(*b"2D000");
    /// 34000
    pub const INVALID_CURSOR_NAME: Self = Self(*b"34000");
    /// 3B001
    pub const INVALID_SAVEPOINT_SPECIFICATION: Self = Self(*b"3B001");
    /// 3D000
    pub const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    /// 3F000
    pub const INVALID_SCHEMA_NAME: Self = Self(*b"3F000");
    /// 40000
    pub const TRANSACTION_ROLLBACK: Self = Self(*b"40000");
    /// 40001
    pub const SERIALIZATION_FAILURE: Self = Self(*b"40001");
    /// 40P01
    pub const DEADLOCK_DETECTED: Self = Self(*b"40P01");
    /// 42601
    pub const SYNTAX_ERROR: Self = Self(*b"42601");
    /// 42501
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(*b"42501");
    /// 42846
    pub const CANNOT_COERCE: Self = Self(*b"42846");
    /// 42803
    pub const GROUPING_ERROR: Self = Self(*b"42803");
    /// 42P20
    pub const WINDOWING_ERROR: Self = Self(*b"42P20");
    /// 42P19
    pub const INVALID_RECURSION: Self = Self(*b"42P19");
    /// 42830
    pub const INVALID_FOREIGN_KEY: Self = Self(*b"42830");
    /// 42602
    pub const INVALID_NAME: Self = Self(*b"42602");
    /// 42622
    pub const NAME_TOO_LONG: Self = Self(*b"42622");
    /// 42939
    pub const RESERVED_NAME: Self = Self(*b"42939");
    /// 42804
    pub const DATATYPE_MISMATCH: Self = Self(*b"42804");
    /// 42P18
    pub const INDETERMINATE_DATATYPE: Self = Self(*b"42P18");
    /// 42P21
    pub const COLLATION_MISMATCH: Self = Self(*b"42P21");
    /// 42P22
    pub const INDETERMINATE_COLLATION: Self = Self(*b"42P22");
    /// 42809
    pub const WRONG_OBJECT_TYPE: Self = Self(*b"42809");
    /// 428C9
    pub const GENERATED_ALWAYS: Self = Self(*b"428C9");
    /// 42703
    pub const UNDEFINED_COLUMN: Self = Self(*b"42703");
    /// 42883
    pub const UNDEFINED_FUNCTION: Self = Self(*b"42883");
    /// 42P01
    pub const UNDEFINED_TABLE: Self = Self(*b"42P01");
    /// 42P02
    pub const UNDEFINED_PARAMETER: Self = Self(*b"42P02");
    /// 42704
    pub const UNDEFINED_OBJECT: Self = Self(*b"42704");
    /// 42701
    pub const DUPLICATE_COLUMN: Self = Self(*b"42701");
    /// 42P03
    pub const DUPLICATE_CURSOR: Self = Self(*b"42P03");
    /// 42P04
    pub const DUPLICATE_DATABASE: Self = Self(*b"42P04");
    /// 42723
    pub const DUPLICATE_FUNCTION: Self = Self(*b"42723");
    /// 42P05
    pub const DUPLICATE_PREPARED_STATEMENT: Self = Self(*b"42P05");
    /// 42P06
    pub const DUPLICATE_SCHEMA: Self = Self(*b"42P06");
    /// 42P07
    pub const DUPLICATE_TABLE: Self = Self(*b"42P07");
    /// 42712
    pub const DUPLICATE_ALIAS: Self = Self(*b"42712");
    /// 42710
    pub const DUPLICATE_OBJECT: Self = Self(*b"42710");
    /// 42702
    pub const AMBIGUOUS_COLUMN: Self = Self(*b"42702");
    /// 42725
    pub const AMBIGUOUS_FUNCTION: Self = Self(*b"42725");
    /// 42P08
    pub const AMBIGUOUS_PARAMETER: Self = Self(*b"42P08");
    /// 42P09
    pub const AMBIGUOUS_ALIAS: Self = Self(*b"42P09");
    /// 42P10
    pub const INVALID_COLUMN_REFERENCE: Self = Self(*b"42P10");
    /// 42611
    pub const INVALID_COLUMN_DEFINITION: Self = Self(*b"42611");
    /// 42P11
    pub const INVALID_CURSOR_DEFINITION: Self = Self(*b"42P11");
    /// 42P12
    pub const INVALID_DATABASE_DEFINITION: Self = Self(*b"42P12");
    /// 42P13
    pub const INVALID_FUNCTION_DEFINITION: Self = Self(*b"42P13");
    /// 42P14
    pub const INVALID_PREPARED_STATEMENT_DEFINITION: Self = Self(*b"42P14");
    /// 42P15
    pub const INVALID_SCHEMA_DEFINITION: Self = Self(*b"42P15");
    /// 42P16
    pub const INVALID_TABLE_DEFINITION: Self = Self(*b"42P16");
    /// 42P17
    pub const INVALID_OBJECT_DEFINITION: Self = Self(*b"42P17");
    /// 44000
    pub const WITH_CHECK_OPTION_VIOLATION: Self = Self(*b"44000");
    /// 53000
    pub const INSUFFICIENT_RESOURCES: Self = Self(*b"53000");
    /// 53100
    pub const DISK_FULL: Self = Self(*b"53100");
    /// 53200
    pub const OUT_OF_MEMORY: Self = Self(*b"53200");
    /// 53300
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    /// 53400
    pub const CONFIGURATION_LIMIT_EXCEEDED: Self = Self(*b"53400");
    /// 54000
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self(*b"54000");
    /// 54001
    pub const STATEMENT_TOO_COMPLEX: Self = Self(*b"54001");
    /// 54011
    pub const TOO_MANY_COLUMNS: Self = Self(*b"54011");
    /// 54023
    pub const TOO_MANY_ARGUMENTS: Self = Self(*b"54023");
    /// 55000
    pub const OBJECT_NOT_IN_PREREQUISITE_STATE: Self = Self(*b"55000");
    /// 55006
    pub const OBJECT_IN_USE: Self = Self(*b"55006");
    /// 55P02
    pub const CANT_CHANGE_RUNTIME_PARAM: Self = Self(*b"55P02");
    /// 55P03
    pub const LOCK_NOT_AVAILABLE: Self = Self(*b"55P03");
    /// 57014
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    /// 57P01
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    /// 57P02
    pub const CRASH_SHUTDOWN: Self = Self(*b"57P02");
    /// 57P03
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    /// 57P05
    pub const IDLE_SESSION_TIMEOUT: Self = Self(*b"57P05");
    /// 58000
    pub const SYSTEM_ERROR: Self = Self(*b"58000");
    /// 58030
    pub const IO_ERROR: Self = Self(*b"58030");
    /// 58P01
    pub const UNDEFINED_FILE: Self = Self(*b"58P01");
    /// 58P02
    pub const DUPLICATE_FILE: Self = Self(*b"58P02");
    /// 72000
    pub const SNAPSHOT_TOO_OLD: Self = Self(*b"72000");
    /// F0000
    pub const CONFIG_FILE_ERROR: Self = Self(*b"F0000");
    /// P0001
    pub const RAISE_EXCEPTION: Self = Self(*b"P0001");
    /// XX000
    pub const INTERNAL_ERROR: Self = Self(*b"XX000");
    /// XX001
    pub const DATA_CORRUPTED: Self = Self(*b"XX001");
    /// XX002
    pub const INDEX_CORRUPTED: Self = Self(*b"XX002");
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
