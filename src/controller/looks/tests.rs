//! When a list is read, and when it is believed.

use super::*;
use crate::confidence::Error;

#[tokio::test(start_paused = true)]
async fn a_list_is_read_where_it_takes_fewer_calls_than_the_looks() {
    let client = Client::default();
    assert!(!client.is_list_cheaper(1), "as cheap is not cheaper");
    assert!(client.is_list_cheaper(2));
    client.learn(Instant::now(), Ok(&Listing { pages: 7, ..Listing::default() }));
    assert!(!client.is_list_cheaper(7));
    assert!(client.is_list_cheaper(8));
    tokio::time::advance(REMEMBERED_FOR).await;
    assert!(client.is_list_cheaper(2), "it may have become shorter");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_refused_is_not_asked_for_again_for_a_while_and_one_that_failed_is() {
    let client = Client::default();
    client.learn(Instant::now(), Err(&ListError::Call(Error::new(Cause::ServerError, "500"))));
    assert!(client.is_list_cheaper(9));
    client.learn(Instant::now(), Err(&ListError::Call(Error::new(Cause::Forbidden, "403"))));
    assert!(!client.is_list_cheaper(9));
    tokio::time::advance(REMEMBERED_FOR).await;
    assert!(client.is_list_cheaper(9));
}

#[tokio::test(start_paused = true)]
async fn a_list_longer_than_worth_it_is_remembered_as_such() {
    let client = Client::default();
    client.learn(Instant::now(), Err(&ListError::TooLong(3)));
    assert!(!client.is_list_cheaper(4));
    assert!(client.is_list_cheaper(5));
}

#[test]
fn a_list_that_lacks_most_of_what_was_there_is_believed_the_third_time() {
    let client = Client::default();
    assert!(client.believes(4, 4), "a few may well go together");
    assert!(client.believes(50, 100), "half is not most");
    for _ in 0..2 {
        assert_eq!(
            [client.believes(51, 100), client.believes(51, 100), client.believes(51, 100)],
            [false, false, true]
        );
    }
    assert!(!client.believes(51, 100));
    assert!(client.believes(1, 100));
    assert!(!client.believes(51, 100), "a good one in between begins the count anew");
}
