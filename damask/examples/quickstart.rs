//! A database in memory: tables, parameters, a transaction, typed rows, Arrow's batches.

use damask::{Database, Result, params};

fn main() -> Result<()> {
    let database = Database::open_in_memory()?;
    let mut connection = database.connect()?;
    connection.execute("CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric)")?;
    connection.execute("INSERT INTO account VALUES (1, 'ann', 100), (2, 'bob', 50.25)")?;

    // Both changes or neither: a transaction that is dropped without `commit` is rolled back.
    let mut transfer = connection.transaction()?;
    transfer.execute("UPDATE account SET balance = balance - 25 WHERE id = 1")?;
    transfer.execute("UPDATE account SET balance = balance + 25 WHERE id = 2")?;
    transfer.commit()?;

    let query = "SELECT owner, balance::float8 FROM account WHERE balance > $1 ORDER BY id";
    let statement = connection.prepare(query)?;
    let rows = connection.query_prepared(&statement, &params![10])?;
    for row in 0..rows.len() {
        let (owner, balance) =
            (rows.get::<String>(row, "owner")?, rows.get::<f64>(row, "balance")?);
        #[expect(clippy::print_stdout, reason = "an example shows what it does")]
        {
            println!("{owner}: {balance:.2}");
        }
    }
    let batches = connection.query_arrow("SELECT * FROM account", &[])?;
    let total: usize = batches.iter().map(damask::RecordBatch::num_rows).sum();
    assert_eq!(total, 2, "both accounts, as Arrow's record batches");
    Ok(())
}
