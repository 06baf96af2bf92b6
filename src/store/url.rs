//! Where a database is: a file of SQLite or an address of PostgreSQL.

use std::fmt;
use std::path::PathBuf;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of our own.
    Sqlite(PathBuf),
    /// A server's address, which may hold a password: it is never shown.
    Postgres(String),
}

/// Why a text does not say where a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another scheme than `sqlite:` or `postgres:`.
    #[error("a database address begins with sqlite: or postgres://")]
    Scheme,
    /// No path behind `sqlite:`.
    #[error("a path is missing behind sqlite:")]
    NoPath,
}

impl DatabaseUrl {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, `postgres://…`, `postgresql://…`.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let rest = text
            .strip_prefix("sqlite:")
            .ok_or(DatabaseUrlError::Scheme)?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() {
            return Err(DatabaseUrlError::NoPath);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// What may be shown: a path, or the server's address without its user and password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => {
                let bare = address.split_once("://").map_or("", |(_, rest)| rest);
                let bare = bare.split_once('?').map_or(bare, |(before, _)| before);
                let place = bare.rsplit_once('@').map_or(bare, |(_, place)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_a_server_is_read_and_anything_else_refused() {
        let file = |path: &str| Ok(DatabaseUrl::Sqlite(PathBuf::from(path)));
        assert_eq!(DatabaseUrl::parse("sqlite:/var/p.db"), file("/var/p.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:///var/p.db"), file("/var/p.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:p.db"), file("p.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:"), Err(DatabaseUrlError::NoPath));
        assert_eq!(
            DatabaseUrl::parse("mysql://x"),
            Err(DatabaseUrlError::Scheme)
        );
    }

    #[test]
    fn user_and_password_are_never_shown() {
        let url = DatabaseUrl::parse("postgres://me:se@cret@db.example/paydeck?password=x");
        let shown = format!("{url:?} {}", url.clone().expect("an address"));
        assert!(!shown.contains("cret") && !shown.contains("me:") && !shown.contains("password"));
        assert!(shown.contains("postgres://db.example/paydeck"));
    }
}
