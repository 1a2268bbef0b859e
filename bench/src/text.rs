//! Small statements on orders of customers, in each form in which clients send text: by the simple protocol with values in the text,
//! prepared once with parameters as text, and parsed each time.
//!
//! Each client does as many statements in each form: rows by their key, the last orders of a customer, changes, new orders, removed
//! ones, and a transaction that moves an amount between two orders. Clients change orders of their own, so none waits for another.

use crate::Failure;
use crate::chance::Chance;
use crate::client::{Client, Sending};
use crate::measure::now;
use crate::server::{Server, copy, runtime};

/// Orders of each client at the beginning.
const ORDERS: i32 = 5_000;

/// Customers of all orders.
const CUSTOMERS: i32 = 1_000;

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A server: NAME=URL
    #[arg(long)]
    server: Server,
    /// Clients
    #[arg(long, default_value_t = 4)]
    clients: i32,
    /// Statements of each client in each form
    #[arg(long, default_value_t = 10_000)]
    statements: usize,
}

/// How a statement is sent.
#[derive(Clone, Copy, Debug)]
enum Form {
    Simple,
    Prepared,
    Parsed,
}

const SCHEMA: &str = "DROP TABLE IF EXISTS text_orders;
    CREATE TABLE text_orders (id int PRIMARY KEY, customer int NOT NULL, placed timestamp NOT NULL, total numeric(12,2) NOT NULL,
        urgent boolean NOT NULL, note text);
    CREATE INDEX text_orders_customer ON text_orders (customer, placed)";

/// Statements, by what [`Work::next`] calls them.
const STATEMENTS: [&str; 8] = [
    "SELECT customer, placed, total, urgent, note FROM text_orders WHERE id = $1",
    "SELECT id, placed, total FROM text_orders WHERE customer = $1 ORDER BY placed DESC LIMIT 10",
    "UPDATE text_orders SET total = total + $1, note = $2 WHERE id = $3",
    "INSERT INTO text_orders (id, customer, placed, total, urgent, note) VALUES ($1, $2, $3, $4, $5, $6)",
    "DELETE FROM text_orders WHERE id = $1",
    "BEGIN",
    "UPDATE text_orders SET total = total - $1 WHERE id = $2",
    "COMMIT",
];

/// What one client will ask for.
struct Work {
    chance: Chance,
    first: i32,
    /// Orders from `first` on that there are, and the oldest that was not removed.
    count: i32,
    oldest: i32,
}

impl Work {
    fn some(&mut self) -> String {
        (self.first + self.chance.between(self.oldest, self.count - 1)).to_string()
    }

    fn row(&mut self, number: i32) -> Vec<String> {
        vec![
            (self.first + number).to_string(),
            self.chance.between(1, CUSTOMERS).to_string(),
            format!("2026-{:02}-{:02} 12:{:02}:00", number % 12 + 1, number % 28 + 1, number % 60),
            format!("{}.{:02}", self.chance.between(1, 9_999), self.chance.between(0, 99)),
            if self.chance.percent(20) { "t" } else { "f" }.to_owned(),
            self.chance.text(10, 40),
        ]
    }

    /// Numbers of statements that go together, with their parameters.
    fn next(&mut self) -> Vec<(usize, Vec<String>)> {
        match self.chance.next() % 100 {
            0..45 => vec![(0, vec![self.some()])],
            45..60 => vec![(1, vec![self.chance.between(1, CUSTOMERS).to_string()])],
            60..80 => {
                vec![(2, vec!["1.25".to_owned(), self.chance.text(10, 40), self.some()])]
            }
            80..90 => {
                self.count += 1;
                vec![(3, self.row(self.count - 1))]
            }
            90..95 => {
                self.oldest += 1;
                vec![(4, vec![(self.first + self.oldest - 1).to_string()])]
            }
            _ => {
                let (from, to) = (self.some(), self.some());
                let note = self.chance.text(10, 40);
                vec![
                    (5, vec![]),
                    (6, vec!["0.75".to_owned(), from]),
                    (2, vec!["0.75".to_owned(), note, to]),
                    (7, vec![]),
                ]
            }
        }
    }
}

/// The text with its parameters in it.
fn literal(text: &str, params: &[String]) -> String {
    let mut text = text.to_owned();
    for (index, value) in params.iter().enumerate() {
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value = if is_number { value.clone() } else { format!("'{value}'") };
        text = text.replace(&format!("${}", index + 1), &value);
    }
    text
}

/// Runs each form in turn and prints its rate.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let works = |seed: u64| {
        (0..arguments.clients).map(move |client| Work {
            chance: Chance::new(seed + client as u64),
            first: client * 10_000_000,
            count: ORDERS,
            oldest: 0,
        })
    };
    for (seed, form) in [(100, Form::Simple), (200, Form::Prepared), (300, Form::Parsed)] {
        runtime()?.block_on(async {
            let (client, _) = arguments.server.connect().await?;
            client.batch_execute(SCHEMA).await?;
            let rows = works(0).flat_map(|mut work| {
                (0..ORDERS).map(move |number| work.row(number).join("\t")).collect::<Vec<_>>()
            });
            copy(&client, "text_orders", rows).await?;
            client.batch_execute("ANALYZE text_orders").await?;
            Ok::<_, Failure>(())
        })?;
        let clients = works(seed)
            .map(|work| Ok((arguments.server.connect_lightly(Sending::OneByOne)?, work)))
            .collect::<Result<Vec<_>, Failure>>()?;
        let start = now();
        let asked = std::thread::scope(|scope| {
            let threads: Vec<_> = clients
                .into_iter()
                .map(|(client, work)| scope.spawn(|| ask(client, work, form, arguments.statements)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a client panicked"))
                .try_fold(0, |sum, asked| Ok::<_, Failure>(sum + asked?))
        })?;
        let rate = asked as f64 / start.elapsed().as_secs_f64();
        println!("{:<10} {rate:>10.0} statements/s", format!("{form:?}").to_lowercase());
    }
    Ok(())
}

/// One client's statements; gives their number.
fn ask(mut client: Client, mut work: Work, form: Form, count: usize) -> Result<usize, Failure> {
    let names: Vec<String> = (0..STATEMENTS.len()).map(|number| format!("text{number}")).collect();
    for (name, text) in names.iter().zip(STATEMENTS) {
        client.prepare_as(name.clone(), text)?;
    }
    let mut asked = 0;
    while asked < count {
        for (number, params) in work.next() {
            let text = STATEMENTS[number];
            match form {
                Form::Simple => client.run(&literal(text, &params))?,
                Form::Prepared => client.run_as_text(&names[number], &params)?,
                Form::Parsed => client.parse_and_run(text, &params)?,
            }
            asked += 1;
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted_unless_they_are_numbers() {
        let params = ["1.25".to_owned(), "abc".to_owned(), "7".to_owned()];
        assert_eq!(
            literal(STATEMENTS[2], &params),
            "UPDATE text_orders SET total = total + 1.25, note = 'abc' WHERE id = 7"
        );
    }
}
