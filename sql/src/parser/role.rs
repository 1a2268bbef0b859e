//! Roles and privileges.

use super::Parser;
use crate::ast::{
    AlterRole, CreateRole, Grant, GrantObjects, Ident, ObjectKind, RoleName, RoleOption, Statement,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// A role's name (`RoleSpec`).
    pub(super) fn role_name(&mut self) -> Result<RoleName> {
        let token = self.token();
        if self.eat_any(&[Keyword::CurrentUser, Keyword::CurrentRole]) {
            return Ok(RoleName::CurrentUser(self.span_from(token.start)));
        }
        if self.eat(Keyword::SessionUser) {
            return Ok(RoleName::SessionUser(self.span_from(token.start)));
        }
        let name = self.non_reserved()?;
        if &*name.value == "none" {
            let message = "role name \"none\" is reserved";
            return Err(ParseError::new("42939", message, token.start));
        }
        if &*name.value == "public" {
            return Ok(RoleName::Public(name.span));
        }
        Ok(RoleName::Named(name))
    }

    pub(super) fn create_role(&mut self, user: bool) -> Result<Statement> {
        let name = self.role_name()?;
        self.eat(Keyword::With);
        let options = self.role_options()?;
        Ok(Statement::CreateRole(CreateRole { name, user, options }))
    }

    fn role_options(&mut self) -> Result<Vec<RoleOption>> {
        let mut options = Vec::new();
        while !self.at_statement_end() {
            options.push(self.role_option()?);
        }
        Ok(options)
    }

    fn role_option(&mut self) -> Result<RoleOption> {
        let token = self.token();
        let word = self.label()?;
        Ok(match &*word.value {
            "superuser" => RoleOption::Superuser(true),
            "nosuperuser" => RoleOption::Superuser(false),
            "createdb" => RoleOption::CreateDb(true),
            "nocreatedb" => RoleOption::CreateDb(false),
            "createrole" => RoleOption::CreateRole(true),
            "nocreaterole" => RoleOption::CreateRole(false),
            "inherit" => RoleOption::Inherit(true),
            "noinherit" => RoleOption::Inherit(false),
            "login" => RoleOption::Login(true),
            "nologin" => RoleOption::Login(false),
            "replication" => RoleOption::Replication(true),
            "noreplication" => RoleOption::Replication(false),
            "bypassrls" => RoleOption::BypassRls(true),
            "nobypassrls" => RoleOption::BypassRls(false),
            "connection" => {
                self.expect(Keyword::Limit)?;
                RoleOption::ConnectionLimit(self.signed_integer()?)
            }
            "encrypted" => {
                self.expect(Keyword::Password)?;
                RoleOption::Password(Some(self.string()?))
            }
            "password" => {
                let null = self.eat(Keyword::Null);
                RoleOption::Password(if null { None } else { Some(self.string()?) })
            }
            "valid" => {
                self.expect(Keyword::Until)?;
                RoleOption::ValidUntil(self.string()?)
            }
            "sysid" => {
                self.integer()?;
                RoleOption::SysId
            }
            "in" => {
                if !self.eat(Keyword::Role) {
                    self.expect(Keyword::Group)?;
                }
                RoleOption::InRole(self.list(Self::role_name)?)
            }
            "role" | "user" => RoleOption::Members(self.list(Self::role_name)?),
            "admin" => RoleOption::Admins(self.list(Self::role_name)?),
            other if token.kind == Kind::Identifier => {
                let message = format!("unrecognized role option \"{other}\"");
                return Err(ParseError::new("42601", message, token.start));
            }
            _ => return Err(self.unexpected_at(token)),
        })
    }

    /// `ALTER ROLE | USER | GROUP`, from that word on.
    pub(super) fn alter_role(&mut self, start: u32) -> Result<Statement> {
        self.bump();
        let name = if self.eat(Keyword::All) { None } else { Some(self.role_name()?) };
        if self.eat_all(&[Keyword::Rename, Keyword::To]) {
            let Some(RoleName::Named(name)) = name else { return Err(self.unexpected()) };
            let new_name = self.role_ident()?;
            return Ok(Statement::Rename(crate::ast::Rename {
                object: ObjectKind::Role,
                relation: ObjectKind::Role,
                name: crate::ast::Name(vec![name]),
                if_exists: false,
                part: None,
                new_name,
            }));
        }
        if self.at_any(&[Keyword::Add, Keyword::Drop]) {
            return Ok(self.unsupported_statement("ALTER GROUP", start));
        }
        let database = if self.eat_all(&[Keyword::In, Keyword::Database]) {
            Some(self.column_id()?)
        } else {
            None
        };
        if self.at_any(&[Keyword::Set, Keyword::Reset]) {
            let setting = if self.at_keyword(Keyword::Set) { self.set()? } else { self.reset()? };
            let setting = Some(Box::new(setting));
            let options = Vec::new();
            return Ok(Statement::AlterRole(AlterRole { name, options, database, setting }));
        }
        self.eat(Keyword::With);
        let options = self.role_options()?;
        Ok(Statement::AlterRole(AlterRole { name, options, database, setting: None }))
    }

    /// `GRANT` and `REVOKE`.
    pub(super) fn grant(&mut self, start: u32) -> Result<Statement> {
        let revoke = self.bump().kind == Kind::Keyword(Keyword::Revoke);
        let mut grant_option = revoke
            && (self.eat_all(&[Keyword::Grant, Keyword::Option, Keyword::For])
                || self.is_admin_option());
        let privileges = if self.eat(Keyword::All) {
            self.eat(Keyword::Privileges);
            if self.at_punctuation(b'(') {
                self.skip_parenthesis()?;
            }
            Vec::new()
        } else {
            self.list(Self::privilege)?
        };
        let objects = if self.eat(Keyword::On) {
            let Some(objects) = self.grant_objects()? else {
                let name = if revoke { "REVOKE" } else { "GRANT" };
                return Ok(self.unsupported_statement(name, start));
            };
            Some(objects)
        } else {
            None
        };
        self.expect(if revoke { Keyword::From } else { Keyword::To })?;
        let grantees = self.list(|parser| {
            parser.eat(Keyword::Group);
            parser.role_name()
        })?;
        if !revoke && self.at_keyword(Keyword::With) {
            self.bump();
            if !self.eat(Keyword::Admin) {
                self.expect(Keyword::Grant)?;
            }
            self.expect(Keyword::Option)?;
            grant_option = true;
        }
        let granted_by = if self.eat_all(&[Keyword::Granted, Keyword::By]) {
            Some(self.role_name()?)
        } else {
            None
        };
        let cascade = revoke && self.cascade();
        Ok(Statement::Grant(Box::new(Grant {
            revoke,
            privileges,
            objects,
            grantees,
            grant_option,
            granted_by,
            cascade,
        })))
    }

    fn is_admin_option(&mut self) -> bool {
        self.eat_all(&[Keyword::Admin, Keyword::Option, Keyword::For])
    }

    /// A privilege with its columns, or a role.
    fn privilege(&mut self) -> Result<(Ident, Vec<Ident>)> {
        let word = if self.at_any(&[Keyword::Select, Keyword::References, Keyword::Create]) {
            self.label()?
        } else {
            self.non_reserved()?
        };
        let word = if &*word.value == "alter" && self.eat(Keyword::System) {
            Ident::new("alter system", word.span)
        } else {
            word
        };
        let columns = self.optional_columns()?;
        Ok((word, columns))
    }

    /// What follows `ON`; none when it has no tree.
    fn grant_objects(&mut self) -> Result<Option<GrantObjects>> {
        if self.eat(Keyword::All) {
            let object = match self.kind() {
                Kind::Keyword(Keyword::Tables) => ObjectKind::Table,
                Kind::Keyword(Keyword::Sequences) => ObjectKind::Sequence,
                Kind::Keyword(Keyword::Functions) => ObjectKind::Function,
                Kind::Keyword(Keyword::Procedures) => ObjectKind::Procedure,
                Kind::Keyword(Keyword::Routines) => ObjectKind::Routine,
                _ => return Err(self.unexpected()),
            };
            self.bump();
            self.expect_all(&[Keyword::In, Keyword::Schema])?;
            let names = self.list(Self::name)?;
            return Ok(Some(GrantObjects { object, all_in_schema: true, names }));
        }
        let object = match self.kind() {
            Kind::Keyword(Keyword::Table) => ObjectKind::Table,
            Kind::Keyword(Keyword::Sequence) => ObjectKind::Sequence,
            Kind::Keyword(Keyword::Schema) => ObjectKind::Schema,
            Kind::Keyword(Keyword::Database) => ObjectKind::Database,
            Kind::Keyword(Keyword::Tablespace) => ObjectKind::Tablespace,
            Kind::Keyword(Keyword::Language) => ObjectKind::Language,
            Kind::Keyword(Keyword::Type) => ObjectKind::Type,
            Kind::Keyword(Keyword::Domain) => ObjectKind::Domain,
            // Functions with argument types, large objects, foreign servers, parameters.
            Kind::Keyword(
                Keyword::Function
                | Keyword::Procedure
                | Keyword::Routine
                | Keyword::Large
                | Keyword::Foreign
                | Keyword::Parameter,
            ) => return Ok(None),
            _ => {
                let names = self.list(Self::relation_name)?;
                let object = ObjectKind::Table;
                return Ok(Some(GrantObjects { object, all_in_schema: false, names }));
            }
        };
        self.bump();
        let names = self.list(Self::name)?;
        Ok(Some(GrantObjects { object, all_in_schema: false, names }))
    }
}
