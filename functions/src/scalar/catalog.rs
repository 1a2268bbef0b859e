//! Functions that the session and its catalog answer: names with PostgreSQL's signatures, bodies in
//! [`crate::Session::catalog_function`].
//!
//! Each live row is asked for by itself, so that `nextval` counts and `pg_sleep` sleeps as often as PostgreSQL's would;
//! only immutable and stable ones with const arguments are asked once.

use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values, map_values_strict};
use damask_types::{Result, Vector};

/// A strict function that is not volatile.
fn catalog(ctx: &KernelContext<'_>, args: &[Vector], name: &str) -> Result<Vector> {
    map_values_strict(ctx, args, Calls::Once, |values| ctx.session.catalog_function(name, values))
}

/// A strict, volatile function.
fn effect(ctx: &KernelContext<'_>, args: &[Vector], name: &str) -> Result<Vector> {
    map_values_strict(ctx, args, Calls::EachRow, |values| {
        ctx.session.catalog_function(name, values)
    })
}

/// As [`catalog`] for a function that takes nulls.
fn catalog_nulls(ctx: &KernelContext<'_>, args: &[Vector], name: &str) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| ctx.session.catalog_function(name, values))
}

/// As [`effect`] for a function that takes nulls.
fn effect_nulls(ctx: &KernelContext<'_>, args: &[Vector], name: &str) -> Result<Vector> {
    map_values(ctx, args, Calls::EachRow, |values| ctx.session.catalog_function(name, values))
}

/// The family. Strict functions see no nulls: the frame gives null for them.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1402 current_schema() -> Name: strict stable raises = |c, a| catalog(c, a, "current_schema");
    1403 current_schemas(Bool) -> NameArray: strict stable raises = |c, a| catalog(c, a, "current_schemas");
    745 current_user() -> Name: strict stable raises = |c, a| catalog(c, a, "current_user");
    746 session_user() -> Name: strict stable raises = |c, a| catalog(c, a, "session_user");
    861 current_database() -> Name: strict stable raises = |c, a| catalog(c, a, "current_database");
    1081 format_type(Oid, Int4) -> Text: stable raises = |c, a| catalog_nulls(c, a, "format_type");
    1716 pg_get_expr(PgNodeTree, Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_expr");
    2509 pg_get_expr(PgNodeTree, Oid, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_expr");
    1643 pg_get_indexdef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_indexdef");
    2507 pg_get_indexdef(Oid, Int4, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_indexdef");
    1387 pg_get_constraintdef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_constraintdef");
    2508 pg_get_constraintdef(Oid, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_constraintdef");
    1640 pg_get_viewdef(Text) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_viewdef");
    1641 pg_get_viewdef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_viewdef");
    2505 pg_get_viewdef(Text, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_viewdef");
    2506 pg_get_viewdef(Oid, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_viewdef");
    3159 pg_get_viewdef(Oid, Int4) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_viewdef");
    1642 pg_get_userbyid(Oid) -> Name: strict stable raises = |c, a| catalog(c, a, "pg_get_userbyid");
    2079 pg_table_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_table_is_visible");
    2080 pg_type_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_type_is_visible");
    2081 pg_function_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_function_is_visible");
    2082 pg_operator_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_operator_is_visible");
    2083 pg_opclass_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_opclass_is_visible");
    3829 pg_opfamily_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_opfamily_is_visible");
    2093 pg_conversion_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_conversion_is_visible");
    3403 pg_statistics_obj_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_statistics_obj_is_visible");
    3756 pg_ts_parser_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_ts_parser_is_visible");
    3757 pg_ts_dict_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_ts_dict_is_visible");
    3768 pg_ts_template_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_ts_template_is_visible");
    3758 pg_ts_config_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_ts_config_is_visible");
    3815 pg_collation_is_visible(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_collation_is_visible");
    1215 obj_description(Oid, Name) -> Text: strict stable raises = |c, a| catalog(c, a, "obj_description");
    1348 obj_description(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "obj_description");
    1216 col_description(Oid, Int4) -> Text: strict stable raises = |c, a| catalog(c, a, "col_description");
    1993 shobj_description(Oid, Name) -> Text: strict stable raises = |c, a| catalog(c, a, "shobj_description");
    1922 has_table_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_table_privilege");
    1923 has_table_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_table_privilege");
    1924 has_table_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_table_privilege");
    1925 has_table_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_table_privilege");
    1926 has_table_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_table_privilege");
    1927 has_table_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_table_privilege");
    2268 has_schema_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_schema_privilege");
    2269 has_schema_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_schema_privilege");
    2270 has_schema_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_schema_privilege");
    2271 has_schema_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_schema_privilege");
    2272 has_schema_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_schema_privilege");
    2273 has_schema_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_schema_privilege");
    2250 has_database_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_database_privilege");
    2251 has_database_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_database_privilege");
    2252 has_database_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_database_privilege");
    2253 has_database_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_database_privilege");
    2254 has_database_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_database_privilege");
    2255 has_database_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_database_privilege");
    3012 has_column_privilege(Name, Text, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3013 has_column_privilege(Name, Text, Int2, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3014 has_column_privilege(Name, Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3015 has_column_privilege(Name, Oid, Int2, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3016 has_column_privilege(Oid, Text, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3017 has_column_privilege(Oid, Text, Int2, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3018 has_column_privilege(Oid, Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3019 has_column_privilege(Oid, Oid, Int2, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3020 has_column_privilege(Text, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3021 has_column_privilege(Text, Int2, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3022 has_column_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3023 has_column_privilege(Oid, Int2, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_column_privilege");
    3024 has_any_column_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_any_column_privilege");
    3025 has_any_column_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_any_column_privilege");
    3026 has_any_column_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_any_column_privilege");
    3027 has_any_column_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_any_column_privilege");
    3028 has_any_column_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_any_column_privilege");
    3029 has_any_column_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_any_column_privilege");
    2181 has_sequence_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_sequence_privilege");
    2182 has_sequence_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_sequence_privilege");
    2183 has_sequence_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_sequence_privilege");
    2184 has_sequence_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_sequence_privilege");
    2185 has_sequence_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_sequence_privilege");
    2186 has_sequence_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_sequence_privilege");
    2256 has_function_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_function_privilege");
    2257 has_function_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_function_privilege");
    2258 has_function_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_function_privilege");
    2259 has_function_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_function_privilege");
    2260 has_function_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_function_privilege");
    2261 has_function_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_function_privilege");
    2262 has_language_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_language_privilege");
    2263 has_language_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_language_privilege");
    2264 has_language_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_language_privilege");
    2265 has_language_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_language_privilege");
    2266 has_language_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_language_privilege");
    2267 has_language_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_language_privilege");
    2390 has_tablespace_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_tablespace_privilege");
    2391 has_tablespace_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_tablespace_privilege");
    2392 has_tablespace_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_tablespace_privilege");
    2393 has_tablespace_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_tablespace_privilege");
    2394 has_tablespace_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_tablespace_privilege");
    2395 has_tablespace_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_tablespace_privilege");
    3138 has_type_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_type_privilege");
    3139 has_type_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_type_privilege");
    3140 has_type_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_type_privilege");
    3141 has_type_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_type_privilege");
    3142 has_type_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_type_privilege");
    3143 has_type_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_type_privilege");
    3000 has_foreign_data_wrapper_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_foreign_data_wrapper_privilege");
    3001 has_foreign_data_wrapper_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_foreign_data_wrapper_privilege");
    3002 has_foreign_data_wrapper_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_foreign_data_wrapper_privilege");
    3003 has_foreign_data_wrapper_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_foreign_data_wrapper_privilege");
    3004 has_foreign_data_wrapper_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_foreign_data_wrapper_privilege");
    3005 has_foreign_data_wrapper_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_foreign_data_wrapper_privilege");
    3006 has_server_privilege(Name, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_server_privilege");
    3007 has_server_privilege(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_server_privilege");
    3008 has_server_privilege(Oid, Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_server_privilege");
    3009 has_server_privilege(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_server_privilege");
    3010 has_server_privilege(Text, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_server_privilege");
    3011 has_server_privilege(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "has_server_privilege");
    2705 pg_has_role(Name, Name, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_has_role");
    2706 pg_has_role(Name, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_has_role");
    2707 pg_has_role(Oid, Name, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_has_role");
    2708 pg_has_role(Oid, Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_has_role");
    2709 pg_has_role(Name, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_has_role");
    2710 pg_has_role(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_has_role");
    2325 pg_relation_size(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_relation_size");
    2332 pg_relation_size(RegClass, Text) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_relation_size");
    2997 pg_table_size(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_table_size");
    2286 pg_total_relation_size(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_total_relation_size");
    2998 pg_indexes_size(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_indexes_size");
    2168 pg_database_size(Name) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_database_size");
    2324 pg_database_size(Oid) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_database_size");
    2322 pg_tablespace_size(Oid) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_tablespace_size");
    2323 pg_tablespace_size(Name) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_tablespace_size");
    3778 pg_tablespace_location(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_tablespace_location");
    2999 pg_relation_filenode(RegClass) -> Oid: strict stable raises = |c, a| catalog(c, a, "pg_relation_filenode");
    3034 pg_relation_filepath(RegClass) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_relation_filepath");
    1574 nextval(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "nextval");
    1575 currval(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "currval");
    2559 lastval() -> Int8: strict volatile raises = |c, a| effect(c, a, "lastval");
    1576 setval(RegClass, Int8) -> Int8: strict volatile raises = |c, a| effect(c, a, "setval");
    1765 setval(RegClass, Int8, Bool) -> Int8: strict volatile raises = |c, a| effect(c, a, "setval");
    2078 set_config(Text, Text, Bool) -> Text: volatile raises = |c, a| effect_nulls(c, a, "set_config");
    2077 current_setting(Text) -> Text: strict stable raises = |c, a| catalog(c, a, "current_setting");
    3294 current_setting(Text, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "current_setting");
    2026 pg_backend_pid() -> Int4: strict stable raises = |c, a| catalog(c, a, "pg_backend_pid");
    5059 pg_current_xact_id() -> Xid8: strict stable raises = |c, a| catalog(c, a, "pg_current_xact_id");
    5060 pg_current_xact_id_if_assigned() -> Xid8: strict stable raises = |c, a| catalog(c, a, "pg_current_xact_id_if_assigned");
    1181 age(Xid) -> Int4: strict stable raises = |c, a| catalog(c, a, "age");
    2943 txid_current() -> Int8: strict stable raises = |c, a| catalog(c, a, "txid_current");
    3348 txid_current_if_assigned() -> Int8: strict stable raises = |c, a| catalog(c, a, "txid_current_if_assigned");
    3360 txid_status(Int8) -> Text: strict volatile raises = |c, a| effect(c, a, "txid_status");
    2880 pg_advisory_lock(Int8) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_lock");
    2886 pg_advisory_lock(Int4, Int4) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_lock");
    2881 pg_advisory_lock_shared(Int8) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_lock_shared");
    2887 pg_advisory_lock_shared(Int4, Int4) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_lock_shared");
    2882 pg_try_advisory_lock(Int8) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_lock");
    2888 pg_try_advisory_lock(Int4, Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_lock");
    2883 pg_try_advisory_lock_shared(Int8) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_lock_shared");
    2889 pg_try_advisory_lock_shared(Int4, Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_lock_shared");
    2884 pg_advisory_unlock(Int8) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_advisory_unlock");
    2890 pg_advisory_unlock(Int4, Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_advisory_unlock");
    2885 pg_advisory_unlock_shared(Int8) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_advisory_unlock_shared");
    2891 pg_advisory_unlock_shared(Int4, Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_advisory_unlock_shared");
    2892 pg_advisory_unlock_all() -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_unlock_all");
    3089 pg_advisory_xact_lock(Int8) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_xact_lock");
    3093 pg_advisory_xact_lock(Int4, Int4) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_xact_lock");
    3090 pg_advisory_xact_lock_shared(Int8) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_xact_lock_shared");
    3094 pg_advisory_xact_lock_shared(Int4, Int4) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_advisory_xact_lock_shared");
    3091 pg_try_advisory_xact_lock(Int8) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_xact_lock");
    3095 pg_try_advisory_xact_lock(Int4, Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_xact_lock");
    3092 pg_try_advisory_xact_lock_shared(Int8) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_xact_lock_shared");
    3096 pg_try_advisory_xact_lock_shared(Int4, Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_try_advisory_xact_lock_shared");
    2171 pg_cancel_backend(Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_cancel_backend");
    2096 pg_terminate_backend(Int4, Int8) -> Bool: strict volatile raises defaults_1 = |c, a| effect(c, a, "pg_terminate_backend");
    2626 pg_sleep(Float8) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_sleep");
    3935 pg_sleep_for(Interval) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_sleep_for");
    3936 pg_sleep_until(TimestampTz) -> Void: strict volatile raises = |c, a| effect(c, a, "pg_sleep_until");
    1665 pg_get_serial_sequence(Text, Text) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_serial_sequence");
    3810 pg_is_in_recovery() -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_is_in_recovery");
    3809 pg_export_snapshot() -> Text: strict volatile raises = |c, a| effect(c, a, "pg_export_snapshot");
    3537 pg_describe_object(Oid, Oid, Int4) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_describe_object");
    3839 pg_identify_object(Oid, Oid, Int4) -> Record: strict stable raises = |c, a| catalog(c, a, "pg_identify_object");
    2855 pg_is_other_temp_schema(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_is_other_temp_schema");
    2854 pg_my_temp_schema() -> Oid: strict stable raises = |c, a| catalog(c, a, "pg_my_temp_schema");
    2165 pg_get_function_result(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_function_result");
    2162 pg_get_function_arguments(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_function_arguments");
    2232 pg_get_function_identity_arguments(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_function_identity_arguments");
    6197 pg_get_function_sqlbody(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_function_sqlbody");
    2098 pg_get_functiondef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_functiondef");
    3808 pg_get_function_arg_default(Oid, Int4) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_function_arg_default");
    1662 pg_get_triggerdef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_triggerdef");
    2730 pg_get_triggerdef(Oid, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_triggerdef");
    1573 pg_get_ruledef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_ruledef");
    2504 pg_get_ruledef(Oid, Bool) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_ruledef");
    3352 pg_get_partkeydef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_partkeydef");
    3415 pg_get_statisticsobjdef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_statisticsobjdef");
    6174 pg_get_statisticsobjdef_columns(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_statisticsobjdef_columns");
    6173 pg_get_statisticsobjdef_expressions(Oid) -> TextArray: strict stable raises = |c, a| catalog(c, a, "pg_get_statisticsobjdef_expressions");
    3408 pg_get_partition_constraintdef(Oid) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_get_partition_constraintdef");
    6120 pg_get_replica_identity_index(RegClass) -> RegClass: strict stable raises = |c, a| catalog(c, a, "pg_get_replica_identity_index");
    2560 pg_postmaster_start_time() -> TimestampTz: strict stable raises = |c, a| catalog(c, a, "pg_postmaster_start_time");
    2034 pg_conf_load_time() -> TimestampTz: strict stable raises = |c, a| catalog(c, a, "pg_conf_load_time");
    810 pg_client_encoding() -> Name: strict stable raises = |c, a| catalog(c, a, "pg_client_encoding");
    2196 inet_client_addr() -> Inet: stable raises = |c, a| catalog(c, a, "inet_client_addr");
    2197 inet_client_port() -> Int4: stable raises = |c, a| catalog(c, a, "inet_client_port");
    2198 inet_server_addr() -> Inet: stable raises = |c, a| catalog(c, a, "inet_server_addr");
    2199 inet_server_port() -> Int4: stable raises = |c, a| catalog(c, a, "inet_server_port");
    1928 pg_stat_get_numscans(Oid) -> Int8: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_numscans");
    2878 pg_stat_get_live_tuples(Oid) -> Int8: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_live_tuples");
    2879 pg_stat_get_dead_tuples(Oid) -> Int8: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_dead_tuples");
    1931 pg_stat_get_tuples_inserted(Oid) -> Int8: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_tuples_inserted");
    1932 pg_stat_get_tuples_updated(Oid) -> Int8: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_tuples_updated");
    1933 pg_stat_get_tuples_deleted(Oid) -> Int8: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_tuples_deleted");
    3842 pg_relation_is_updatable(RegClass, Bool) -> Int4: strict stable raises = |c, a| catalog(c, a, "pg_relation_is_updatable");
    3843 pg_column_is_updatable(RegClass, Int2, Bool) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_column_is_updatable");
    4032 pg_sequence_last_value(RegClass) -> Int8: strict volatile raises = |c, a| effect(c, a, "pg_sequence_last_value");
    2121 pg_column_compression(Any) -> Text: strict stable raises = |c, a| catalog(c, a, "pg_column_compression");
    638 pg_index_column_has_property(RegClass, Int4, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_index_column_has_property");
    637 pg_index_has_property(RegClass, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_index_has_property");
    636 pg_indexam_has_property(Oid, Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_indexam_has_property");
    89 version() -> Text: strict stable raises = |c, a| catalog(c, a, "version");
    1937 pg_stat_get_backend_pid(Int4) -> Int4: strict stable raises = |c, a| catalog(c, a, "pg_stat_get_backend_pid");
    2561 pg_blocking_pids(Int4) -> Int4Array: strict volatile raises = |c, a| effect(c, a, "pg_blocking_pids");
    2621 pg_reload_conf() -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_reload_conf");
    3078 pg_sequence_parameters(Oid) -> Record: strict stable raises = |c, a| catalog(c, a, "pg_sequence_parameters");
    3298 row_security_active(Oid) -> Bool: strict stable raises = |c, a| catalog(c, a, "row_security_active");
    3299 row_security_active(Text) -> Bool: strict stable raises = |c, a| catalog(c, a, "row_security_active");
    6121 pg_relation_is_publishable(RegClass) -> Bool: strict stable raises = |c, a| catalog(c, a, "pg_relation_is_publishable");
    2848 pg_switch_wal() -> PgLsn: strict volatile raises = |c, a| effect(c, a, "pg_switch_wal");
    2849 pg_current_wal_lsn() -> PgLsn: strict volatile raises = |c, a| effect(c, a, "pg_current_wal_lsn");
    3820 pg_last_wal_receive_lsn() -> PgLsn: strict volatile raises = |c, a| effect(c, a, "pg_last_wal_receive_lsn");
    3821 pg_last_wal_replay_lsn() -> PgLsn: strict volatile raises = |c, a| effect(c, a, "pg_last_wal_replay_lsn");
    2852 pg_current_wal_insert_lsn() -> PgLsn: strict volatile raises = |c, a| effect(c, a, "pg_current_wal_insert_lsn");
    4543 pg_log_backend_memory_contexts(Int4) -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_log_backend_memory_contexts");
    3163 pg_trigger_depth() -> Int4: strict stable raises = |c, a| catalog(c, a, "pg_trigger_depth");
    3036 pg_notify(Text, Text) -> Void: volatile raises = |c, a| effect_nulls(c, a, "pg_notify");
    3296 pg_notification_queue_usage() -> Float8: strict volatile raises = |c, a| effect(c, a, "pg_notification_queue_usage");
    3454 pg_filenode_relation(Oid, Oid) -> RegClass: strict stable raises = |c, a| catalog(c, a, "pg_filenode_relation");
    3954 pg_get_object_address(Text, TextArray, TextArray) -> Record: strict stable raises = |c, a| catalog(c, a, "pg_get_object_address");
    315 pg_jit_available() -> Bool: strict volatile raises = |c, a| effect(c, a, "pg_jit_available");
    3581 pg_xact_commit_timestamp(Xid) -> TimestampTz: strict volatile raises = |c, a| effect(c, a, "pg_xact_commit_timestamp");
    710 getpgusername() -> Name: strict stable raises = |c, a| catalog(c, a, "getpgusername");
    817 current_query() -> Text: volatile raises = |c, a| effect(c, a, "current_query");
    3943 acldefault(Char, Oid) -> AclItemArray: strict immutable raises = |c, a| catalog(c, a, "acldefault");
};
