//! The consistency conditions that must hold after a run (clause 3.3.2): each query counts what breaks one.

use crate::Failure;
use tokio_postgres::Client;

/// The clause's number, and what counts its breaches.
const CONDITIONS: [(&str, &str); 11] = [
    (
        "1: W_YTD = sum(D_YTD)",
        "SELECT count(*) FROM warehouse JOIN (SELECT d_w_id, sum(d_ytd) AS s FROM district GROUP BY d_w_id) d
            ON d_w_id = w_id WHERE w_ytd <> s",
    ),
    (
        "2: D_NEXT_O_ID - 1 = max(O_ID) = max(NO_O_ID)",
        "SELECT count(*) FROM district
            JOIN (SELECT o_w_id, o_d_id, max(o_id) AS o FROM orders GROUP BY o_w_id, o_d_id) x ON o_w_id = d_w_id AND o_d_id = d_id
            LEFT JOIN (SELECT no_w_id, no_d_id, max(no_o_id) AS n FROM new_order GROUP BY no_w_id, no_d_id) y
                ON no_w_id = d_w_id AND no_d_id = d_id
            WHERE d_next_o_id - 1 <> o OR n IS NOT NULL AND n <> o",
    ),
    (
        "3: the numbers in NEW_ORDER have no gaps",
        "SELECT count(*) FROM (SELECT max(no_o_id) - min(no_o_id) + 1 AS span, count(*) AS n FROM new_order
            GROUP BY no_w_id, no_d_id) x WHERE span <> n",
    ),
    (
        "4: sum(O_OL_CNT) = lines of the district",
        "SELECT count(*) FROM (SELECT o_w_id, o_d_id, sum(o_ol_cnt) AS s FROM orders GROUP BY o_w_id, o_d_id) x
            JOIN (SELECT ol_w_id, ol_d_id, count(*) AS n FROM order_line GROUP BY ol_w_id, ol_d_id) y
                ON ol_w_id = o_w_id AND ol_d_id = o_d_id WHERE s <> n",
    ),
    (
        "5: orders without a carrier are those in NEW_ORDER",
        "SELECT count(*) FROM orders LEFT JOIN new_order ON no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id
            WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)",
    ),
    (
        "6: O_OL_CNT = lines of the order",
        "SELECT count(*) FROM orders LEFT JOIN (SELECT ol_w_id, ol_d_id, ol_o_id, count(*) AS n FROM order_line
            GROUP BY ol_w_id, ol_d_id, ol_o_id) x ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id
            WHERE n IS NULL OR n <> o_ol_cnt",
    ),
    (
        "7: lines are delivered when their order has a carrier",
        "SELECT count(*) FROM order_line JOIN orders ON o_w_id = ol_w_id AND o_d_id = ol_d_id AND o_id = ol_o_id
            WHERE (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)",
    ),
    (
        "8: W_YTD = sum(H_AMOUNT)",
        "SELECT count(*) FROM warehouse JOIN (SELECT h_w_id, sum(h_amount) AS s FROM history GROUP BY h_w_id) h
            ON h_w_id = w_id WHERE w_ytd <> s",
    ),
    (
        "9: D_YTD = sum(H_AMOUNT)",
        "SELECT count(*) FROM district JOIN (SELECT h_w_id, h_d_id, sum(h_amount) AS s FROM history GROUP BY h_w_id, h_d_id) h
            ON h_w_id = d_w_id AND h_d_id = d_id WHERE d_ytd <> s",
    ),
    (
        "10: C_BALANCE = delivered - paid",
        "SELECT count(*) FROM customer
            JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history GROUP BY h_c_w_id, h_c_d_id, h_c_id) h
                ON h_c_w_id = c_w_id AND h_c_d_id = c_d_id AND h_c_id = c_id
            LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS got FROM orders JOIN order_line
                ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id WHERE ol_delivery_d IS NOT NULL
                GROUP BY o_w_id, o_d_id, o_c_id) o ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id
            WHERE c_balance <> coalesce(got, 0) - paid",
    ),
    (
        "12: C_BALANCE + C_YTD_PAYMENT = delivered",
        "SELECT count(*) FROM customer
            LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS got FROM orders JOIN order_line
                ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id WHERE ol_delivery_d IS NOT NULL
                GROUP BY o_w_id, o_d_id, o_c_id) o ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id
            WHERE c_balance + c_ytd_payment <> coalesce(got, 0)",
    ),
];

/// The conditions that do not hold.
pub(super) async fn breaches(client: &Client) -> Result<Vec<String>, Failure> {
    let mut breaches = Vec::new();
    for (name, query) in CONDITIONS {
        let count: i64 = client.query_one(query, &[]).await?.get(0);
        if count > 0 {
            breaches.push(format!("condition {name}: {count} breaches"));
        }
    }
    Ok(breaches)
}
