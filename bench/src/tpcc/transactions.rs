//! The five transactions (clauses 2.4 to 2.8), as prepared statements of one client.

use super::load::{CUSTOMERS, DISTRICTS, ITEMS, cents, last_name};
use crate::chance::Chance;
use crate::client::{Answers, Client, Error, Statement};
use tokio_postgres::types::ToSql;

/// Constants of the non-uniform numbers of a run (clause 2.1.6.1).
const C_LAST: i32 = 86;
const C_CUSTOMER: i32 = 259;
const C_ITEM: i32 = 4711;

/// The kinds, and how many of a hundred there are of each (clause 5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NewOrder,
    Payment,
    OrderStatus,
    Delivery,
    StockLevel,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::NewOrder, Self::Payment, Self::OrderStatus, Self::Delivery, Self::StockLevel];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NewOrder => "new order",
            Self::Payment => "payment",
            Self::OrderStatus => "order status",
            Self::Delivery => "delivery",
            Self::StockLevel => "stock level",
        }
    }

    pub(super) const fn draw(chance: &mut Chance) -> Self {
        match chance.next() % 100 {
            0..45 => Self::NewOrder,
            45..88 => Self::Payment,
            88..92 => Self::OrderStatus,
            92..96 => Self::Delivery,
            _ => Self::StockLevel,
        }
    }
}

/// How a transaction ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Committed,
    /// A new order with an item that does not exist (clause 2.4.1.4).
    RolledBack,
}

/// A line of a new order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    item: i32,
    supplier: i32,
    quantity: i32,
}

/// Who pays or asks: by number, or by last name.
#[derive(Clone, Debug)]
pub(super) enum Who {
    Number(i32),
    Name(String),
}

/// What a transaction is asked to do; drawn once, so that a retry asks for the same.
#[derive(Clone, Debug)]
pub(super) enum Request {
    NewOrder { w: i32, d: i32, c: i32, lines: Vec<Line> },
    Payment { w: i32, d: i32, of: (i32, i32), who: Who, amount: String },
    OrderStatus { w: i32, d: i32, who: Who },
    Delivery { w: i32, carrier: i32 },
    StockLevel { w: i32, d: i32, threshold: i32 },
}

impl Request {
    pub(super) fn draw(chance: &mut Chance, kind: Kind, w: i32, warehouses: i32) -> Self {
        let d = chance.between(1, DISTRICTS);
        match kind {
            Kind::NewOrder => {
                let c = customer(chance);
                let is_wrong = chance.percent(1);
                let count = chance.between(5, 15);
                let mut lines: Vec<Line> = (0..count)
                    .map(|_| Line {
                        item: chance.non_uniform(8191, C_ITEM, 1, ITEMS),
                        supplier: if chance.percent(1) { other(chance, w, warehouses) } else { w },
                        quantity: chance.between(1, 10),
                    })
                    .collect();
                // In one order of items, so that two orders never wait for each other.
                lines.sort_unstable_by_key(|line| (line.supplier, line.item));
                if is_wrong {
                    lines.last_mut().expect("an order has lines").item = ITEMS + 1;
                }
                Self::NewOrder { w, d, c, lines }
            }
            Kind::Payment => {
                let is_local = chance.percent(85);
                let of = if is_local {
                    (w, d)
                } else {
                    (other(chance, w, warehouses), chance.between(1, DISTRICTS))
                };
                let amount = cents(chance.between(100, 500_000));
                Self::Payment { w, d, of, who: who(chance), amount }
            }
            Kind::OrderStatus => Self::OrderStatus { w, d, who: who(chance) },
            Kind::Delivery => Self::Delivery { w, carrier: chance.between(1, 10) },
            Kind::StockLevel => Self::StockLevel { w, d, threshold: chance.between(10, 20) },
        }
    }
}

fn customer(chance: &mut Chance) -> i32 {
    chance.non_uniform(1023, C_CUSTOMER, 1, CUSTOMERS)
}

fn who(chance: &mut Chance) -> Who {
    if chance.percent(60) {
        Who::Name(last_name(chance.non_uniform(255, C_LAST, 0, 999)))
    } else {
        Who::Number(customer(chance))
    }
}

/// A warehouse other than `w`, if there is one.
const fn other(chance: &mut Chance, w: i32, warehouses: i32) -> i32 {
    if warehouses == 1 {
        return w;
    }
    let other = chance.between(1, warehouses - 1);
    if other < w { other } else { other + 1 }
}

macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        /// The statements of a client, prepared.
        struct Statements { $($name: Statement),* }

        impl Statements {
            fn prepare(client: &mut Client) -> Result<Self, Error> {
                Ok(Self { $($name: client.prepare($sql)?),* })
            }
        }
    };
}

statements! {
    begin = "BEGIN";
    commit = "COMMIT";
    rollback = "ROLLBACK";
    customer_tax = "SELECT c_discount::float8, c_last, c_credit, w_tax::float8 FROM customer, warehouse
        WHERE w_id = $1 AND c_w_id = w_id AND c_d_id = $2 AND c_id = $3";
    next_order = "UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = $1 AND d_id = $2
        RETURNING d_next_o_id - 1, d_tax::float8";
    insert_order = "INSERT INTO orders VALUES ($1, $2, $3, $4, now(), NULL, $5, $6)";
    insert_new_order = "INSERT INTO new_order VALUES ($1, $2, $3)";
    item = "SELECT i_price::float8, i_name, i_data FROM item WHERE i_id = $1";
    stock = "SELECT s_quantity, s_data, s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07,
        s_dist_08, s_dist_09, s_dist_10 FROM stock WHERE s_w_id = $1 AND s_i_id = $2 FOR UPDATE";
    update_stock = "UPDATE stock SET s_quantity = $3, s_ytd = s_ytd + $4, s_order_cnt = s_order_cnt + 1,
        s_remote_cnt = s_remote_cnt + $5 WHERE s_w_id = $1 AND s_i_id = $2";
    insert_line = "INSERT INTO order_line VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8::float8::numeric, $9)";
    pay_warehouse = "UPDATE warehouse SET w_ytd = w_ytd + $2::text::numeric WHERE w_id = $1
        RETURNING w_name, w_street_1, w_street_2, w_city, w_state, w_zip";
    pay_district = "UPDATE district SET d_ytd = d_ytd + $3::text::numeric WHERE d_w_id = $1 AND d_id = $2
        RETURNING d_name, d_street_1, d_street_2, d_city, d_state, d_zip";
    named = "SELECT c_id FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last = $3 ORDER BY c_first";
    pay_customer = "UPDATE customer SET c_balance = c_balance - $4::text::numeric,
        c_ytd_payment = c_ytd_payment + $4::text::numeric, c_payment_cnt = c_payment_cnt + 1
        WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3
        RETURNING c_first, c_middle, c_last, c_credit, c_balance::float8, c_data";
    bad_credit = "UPDATE customer SET c_data = substr($4 || c_data, 1, 500)
        WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    insert_history = "INSERT INTO history VALUES ($1, $2, $3, $4, $5, now(), $6::text::numeric, $7)";
    status_customer = "SELECT c_balance::float8, c_first, c_middle, c_last FROM customer
        WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    status_order = "SELECT o_id, o_carrier_id, o_entry_d::text FROM orders
        WHERE o_w_id = $1 AND o_d_id = $2 AND o_c_id = $3 ORDER BY o_id DESC LIMIT 1";
    status_lines = "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount::float8, ol_delivery_d::text FROM order_line
        WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    oldest = "SELECT no_o_id FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 ORDER BY no_o_id LIMIT 1 FOR UPDATE";
    delete_new_order = "DELETE FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 AND no_o_id = $3";
    carry = "UPDATE orders SET o_carrier_id = $4 WHERE o_w_id = $1 AND o_d_id = $2 AND o_id = $3 RETURNING o_c_id";
    deliver_lines = "UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    amount = "SELECT sum(ol_amount)::text FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
    deliver_customer = "UPDATE customer SET c_balance = c_balance + $4::text::numeric, c_delivery_cnt = c_delivery_cnt + 1
        WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
    district_next = "SELECT d_next_o_id FROM district WHERE d_w_id = $1 AND d_id = $2";
    low_stock = "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2
        AND ol_o_id >= $3 AND ol_o_id < $4 AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $5";
}

/// A client with its statements.
pub(super) struct Terminal {
    client: Client,
    statements: Statements,
}

impl Terminal {
    /// # Errors
    /// What the server says to a statement; it runs them at `isolation`.
    pub(super) fn new(mut client: Client, isolation: &str) -> Result<Self, Error> {
        let characteristics =
            format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {isolation}");
        client.run(&characteristics)?;
        let statements = Statements::prepare(&mut client)?;
        Ok(Self { client, statements })
    }

    /// Runs a transaction; one that fails is rolled back.
    pub(super) fn run(&mut self, request: &Request) -> Result<End, Error> {
        let outcome = self.begin_and_end(request);
        if outcome.is_err() {
            // The first error is the one to tell.
            drop(self.client.run("ROLLBACK"));
        }
        outcome
    }

    fn begin_and_end(&mut self, request: &Request) -> Result<End, Error> {
        self.client.ask(&self.statements.begin, &[])?;
        let end = match request {
            Request::NewOrder { w, d, c, lines } => self.new_order(*w, *d, *c, lines),
            Request::Payment { w, d, of, who, amount } => self.payment(*w, *d, *of, who, amount),
            Request::OrderStatus { w, d, who } => self.order_status(*w, *d, who),
            Request::Delivery { w, carrier } => self.delivery(*w, *carrier),
            Request::StockLevel { w, d, threshold } => self.stock_level(*w, *d, *threshold),
        }?;
        let last = match end {
            End::Committed => &self.statements.commit,
            End::RolledBack => &self.statements.rollback,
        };
        self.client.ask(last, &[])?;
        self.client.answers()?;
        Ok(end)
    }

    fn new_order(&mut self, w: i32, d: i32, c: i32, lines: &[Line]) -> Result<End, Error> {
        let Self { client, statements: own } = self;
        client.ask(&own.customer_tax, &[&w, &d, &c])?;
        client.ask(&own.next_order, &[&w, &d])?;
        let mut answers = client.answers()?;
        let row = answers.row()?;
        let (discount, tax): (f64, f64) = (row.get(0), row.get(3));
        let row = answers.row()?;
        let (order, district_tax): (i32, f64) = (row.get(0), row.get(1));
        let is_local = i32::from(lines.iter().all(|line| line.supplier == w));
        let count = lines.len() as i32;
        client.ask(&own.insert_order, &[&w, &d, &order, &c, &count, &is_local])?;
        client.ask(&own.insert_new_order, &[&w, &d, &order])?;
        for line in lines {
            client.ask(&own.item, &[&line.item])?;
            client.ask(&own.stock, &[&line.supplier, &line.item])?;
        }
        let mut answers = client.answers()?;
        let mut total = 0.0;
        for (number, line) in (1..).zip(lines) {
            let Line { item, supplier, quantity } = *line;
            let Some(row) = answers.row_if_any()? else {
                return Ok(End::RolledBack);
            };
            let price: f64 = row.get(0);
            let row = answers.row()?;
            let in_stock: i32 = row.get(0);
            let info: &str = row.get(1 + d as usize);
            let refill = if in_stock >= quantity + 10 { 0 } else { 91 };
            let left = in_stock - quantity + refill;
            let remote = i32::from(supplier != w);
            client.ask(&own.update_stock, &[&supplier, &item, &left, &quantity, &remote])?;
            // Cents are exact in doubles of this size.
            let amount = (price * 100.0).round() * f64::from(quantity) / 100.0;
            total += amount;
            let params: [&(dyn ToSql + Sync); 9] =
                [&w, &d, &order, &number, &item, &supplier, &quantity, &amount, &info];
            client.ask(&own.insert_line, &params)?;
        }
        std::hint::black_box(total * (1.0 - discount) * (1.0 + tax + district_tax));
        Ok(End::Committed)
    }

    fn payment(
        &mut self,
        w: i32,
        d: i32,
        of: (i32, i32),
        who: &Who,
        amount: &str,
    ) -> Result<End, Error> {
        let Self { client, statements: own } = self;
        let (cw, cd) = of;
        client.ask(&own.pay_warehouse, &[&w, &amount])?;
        client.ask(&own.pay_district, &[&w, &d, &amount])?;
        ask_who(client, own, cw, cd, who)?;
        let mut answers = client.answers()?;
        let (warehouse, district) = (answers.row()?, answers.row()?);
        let c = found(&mut answers, who)?;
        client.ask(&own.pay_customer, &[&cw, &cd, &c, &amount])?;
        let row = client.answers()?.row()?;
        if row.get::<&str>(3) == "BC" {
            let note = format!("{c} {cd} {cw} {d} {w} {amount} | ");
            client.ask(&own.bad_credit, &[&cw, &cd, &c, &note])?;
        }
        let data = format!("{}    {}", warehouse.get::<&str>(0), district.get::<&str>(0));
        client.ask(&own.insert_history, &[&c, &cd, &cw, &d, &w, &amount, &data])?;
        Ok(End::Committed)
    }

    fn order_status(&mut self, w: i32, d: i32, who: &Who) -> Result<End, Error> {
        let Self { client, statements: own } = self;
        ask_who(client, own, w, d, who)?;
        let c = found(&mut client.answers()?, who)?;
        client.ask(&own.status_customer, &[&w, &d, &c])?;
        client.ask(&own.status_order, &[&w, &d, &c])?;
        let mut answers = client.answers()?;
        answers.row()?;
        let order: i32 = answers.row()?.get(0);
        client.ask(&own.status_lines, &[&w, &d, &order])?;
        Ok(End::Committed)
    }

    fn delivery(&mut self, w: i32, carrier: i32) -> Result<End, Error> {
        let Self { client, statements: own } = self;
        for d in 1..=DISTRICTS {
            client.ask(&own.oldest, &[&w, &d])?;
        }
        let mut answers = client.answers()?;
        let mut delivered = Vec::new();
        for d in 1..=DISTRICTS {
            // None if all are delivered, or another delivery just took it.
            let Some(row) = answers.row_if_any()? else { continue };
            let order: i32 = row.get(0);
            client.ask(&own.delete_new_order, &[&w, &d, &order])?;
            client.ask(&own.carry, &[&w, &d, &order, &carrier])?;
            client.ask(&own.deliver_lines, &[&w, &d, &order])?;
            client.ask(&own.amount, &[&w, &d, &order])?;
            delivered.push(d);
        }
        let mut answers = client.answers()?;
        for d in delivered {
            let c: i32 = answers.row()?.get(0);
            let row = answers.row()?;
            let amount: &str = row.get(0);
            client.ask(&own.deliver_customer, &[&w, &d, &c, &amount])?;
        }
        Ok(End::Committed)
    }

    fn stock_level(&mut self, w: i32, d: i32, threshold: i32) -> Result<End, Error> {
        let Self { client, statements: own } = self;
        client.ask(&own.district_next, &[&w, &d])?;
        let next: i32 = client.answers()?.row()?.get(0);
        client.ask(&own.low_stock, &[&w, &d, &(next - 20), &next, &threshold])?;
        Ok(End::Committed)
    }
}

/// Asks for the customers of that name, if it is a name.
fn ask_who(client: &mut Client, own: &Statements, w: i32, d: i32, who: &Who) -> Result<(), Error> {
    match who {
        Who::Number(_) => Ok(()),
        Who::Name(name) => client.ask(&own.named, &[&w, &d, name]),
    }
}

/// The customer's number; by name it is the middle one in the order of first names.
fn found(answers: &mut Answers, who: &Who) -> Result<i32, Error> {
    match who {
        Who::Number(number) => Ok(*number),
        Who::Name(_) => {
            let rows = answers.rows()?;
            // Every name was loaded.
            Ok(rows[rows.len().div_ceil(2) - 1].get(0))
        }
    }
}
