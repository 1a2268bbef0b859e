//! The tables at the beginning of a run (clause 4.3.3), by COPY.

use crate::Failure;
use crate::chance::Chance;
use crate::server::copy;
use tokio_postgres::Client;

/// Of each warehouse.
pub(super) const DISTRICTS: i32 = 10;

/// Of each district; as many orders.
pub(super) const CUSTOMERS: i32 = 3000;

/// Of the whole database, and stocks of each warehouse.
pub(super) const ITEMS: i32 = 100_000;

/// Orders of each district that are delivered already.
const DELIVERED: i32 = 2100;

/// When everything that was loaded happened.
const LOADED_AT: &str = "2026-01-01 00:00:00";

const TABLES: [&str; 9] = [
    "warehouse",
    "district",
    "customer",
    "history",
    "orders",
    "new_order",
    "order_line",
    "item",
    "stock",
];

const INDEXES: &str = "CREATE INDEX customer_name ON customer (c_w_id, c_d_id, c_last, c_first);
    CREATE INDEX orders_customer ON orders (o_w_id, o_d_id, o_c_id, o_id);
    ANALYZE";

/// Makes and fills the tables anew.
pub(super) async fn load(client: &Client, warehouses: i32) -> Result<(), Failure> {
    for table in TABLES {
        client.batch_execute(&format!("DROP TABLE IF EXISTS {table}")).await?;
    }
    client.batch_execute(include_str!("schema.sql")).await?;
    let mut chance = Chance::new(42);
    copy(client, "item", (1..=ITEMS).map(|item| item_row(&mut chance, item))).await?;
    for w in 1..=warehouses {
        let row =
            format!("{w}\t{}\t0.{:04}\t300000.00", place(&mut chance), chance.between(0, 2000));
        copy(client, "warehouse", std::iter::once(row)).await?;
        copy(client, "stock", (1..=ITEMS).map(|item| stock_row(&mut chance, w, item))).await?;
        let row = |chance: &mut Chance, d: i32| {
            let tax = chance.between(0, 2000);
            format!("{w}\t{d}\t{}\t0.{tax:04}\t30000.00\t{}", place(chance), CUSTOMERS + 1)
        };
        copy(client, "district", (1..=DISTRICTS).map(|d| row(&mut chance, d))).await?;
        for d in 1..=DISTRICTS {
            district(client, &mut chance, w, d).await?;
        }
    }
    client.batch_execute(INDEXES).await?;
    Ok(())
}

/// A district's customers and their orders.
async fn district(client: &Client, chance: &mut Chance, w: i32, d: i32) -> Result<(), Failure> {
    let rows = (1..=CUSTOMERS).map(|c| customer_row(chance, w, d, c));
    copy(client, "customer", rows).await?;
    let rows = (1..=CUSTOMERS).map(|c| {
        let data = chance.text(12, 24);
        format!("{c}\t{d}\t{w}\t{d}\t{w}\t{LOADED_AT}\t10.00\t{data}")
    });
    copy(client, "history", rows).await?;
    // Orders are of the customers in random order.
    let mut customers: Vec<i32> = (1..=CUSTOMERS).collect();
    for i in (1..customers.len()).rev() {
        customers.swap(i, chance.between(0, i as i32) as usize);
    }
    let lines: Vec<i32> = customers.iter().map(|_| chance.between(5, 15)).collect();
    let rows = (1..=CUSTOMERS).map(|o| {
        let (customer, count) = (customers[o as usize - 1], lines[o as usize - 1]);
        let carrier = if o <= DELIVERED { chance.between(1, 10).to_string() } else { r"\N".into() };
        format!("{w}\t{d}\t{o}\t{customer}\t{LOADED_AT}\t{carrier}\t{count}\t1")
    });
    copy(client, "orders", rows).await?;
    let rows = (DELIVERED + 1..=CUSTOMERS).map(|o| format!("{w}\t{d}\t{o}"));
    copy(client, "new_order", rows).await?;
    let numbers =
        (1..=CUSTOMERS).flat_map(|o| (1..=lines[o as usize - 1]).map(move |number| (o, number)));
    let rows = numbers.map(|(o, number)| {
        let (item, info) = (chance.between(1, ITEMS), chance.text(24, 24));
        let (delivered, amount) = if o <= DELIVERED {
            (LOADED_AT, "0.00".to_owned())
        } else {
            (r"\N", cents(chance.between(1, 999_999)))
        };
        format!("{w}\t{d}\t{o}\t{number}\t{item}\t{w}\t{delivered}\t5\t{amount}\t{info}")
    });
    copy(client, "order_line", rows).await
}

/// Cents as SQL writes them.
pub(super) fn cents(cents: i32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A customer's last name (clause 4.3.2.3).
pub(super) fn last_name(number: i32) -> String {
    const SYLLABLES: [&str; 10] =
        ["BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"];
    [number / 100, number / 10 % 10, number % 10].map(|digit| SYLLABLES[digit as usize]).concat()
}

/// Name and address.
fn place(chance: &mut Chance) -> String {
    format!("{}\t{}", chance.text(6, 10), address(chance))
}

fn address(chance: &mut Chance) -> String {
    let streets = [chance.text(10, 20), chance.text(10, 20), chance.text(10, 20)].join("\t");
    format!("{streets}\t{}\t{}11111", chance.text(2, 2), chance.digits(4))
}

/// Data of an item or stock, every tenth with the word that TPC-C looks for.
fn data(chance: &mut Chance) -> String {
    let mut data = chance.text(26, 50);
    if chance.percent(10) {
        let at = chance.between(0, data.len() as i32 - 8) as usize;
        data.replace_range(at..at + 8, "ORIGINAL");
    }
    data
}

fn item_row(chance: &mut Chance, item: i32) -> String {
    let (image, name) = (chance.between(1, 10_000), chance.text(14, 24));
    format!("{item}\t{image}\t{name}\t{}\t{}", cents(chance.between(100, 10_000)), data(chance))
}

fn stock_row(chance: &mut Chance, w: i32, item: i32) -> String {
    let quantity = chance.between(10, 100);
    let infos: Vec<String> = (0..DISTRICTS).map(|_| chance.text(24, 24)).collect();
    format!("{w}\t{item}\t{quantity}\t{}\t0\t0\t0\t{}", infos.join("\t"), data(chance))
}

fn customer_row(chance: &mut Chance, w: i32, d: i32, c: i32) -> String {
    // Every name is there; the rest are spread unevenly.
    let name = if c <= 1000 { c - 1 } else { chance.non_uniform(255, 123, 0, 999) };
    let credit = if chance.percent(10) { "BC" } else { "GC" };
    format!(
        "{w}\t{d}\t{c}\t{}\tOE\t{}\t{}\t{}\t{LOADED_AT}\t{credit}\t50000.00\t0.{:04}\t-10.00\t10.00\t1\t0\t{}",
        chance.text(8, 16),
        last_name(name),
        address(chance),
        chance.digits(16),
        chance.between(0, 5000),
        chance.text(300, 500),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_syllables() {
        assert_eq!(last_name(371), "PRICALLYOUGHT");
        assert_eq!(last_name(0), "BARBARBAR");
        assert_eq!(cents(1005), "10.05");
    }

    #[test]
    fn rows_have_the_columns_of_their_tables() {
        let mut chance = Chance::new(1);
        let columns = |row: String| row.split('\t').count();
        assert_eq!(columns(item_row(&mut chance, 1)), 5);
        assert_eq!(columns(stock_row(&mut chance, 1, 1)), 17);
        assert_eq!(columns(customer_row(&mut chance, 1, 1, 1)), 21);
        // With w_id before it, and tax and ytd behind it, nine.
        assert_eq!(columns(place(&mut chance)), 6);
    }
}
