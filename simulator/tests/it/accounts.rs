//! Several accounts, and what a caller may do with which credential.

use crate::common::{ITEM, call, call_as, simulator};
use confidence_simulator::config::{CREATE, READ, UPDATE};
use confidence_simulator::{
    Account, Config, Credential, Fault, FaultKind, Permission, SOMEBODY_ELSE, Simulator, Token,
};
use serde_json::json;

const LIST: &str = "/v1/clients/c/credentials";

/// The default account and that of a shop, each with a credential of the same name.
fn two_accounts() -> (Simulator, Simulator) {
    let default = simulator(Config::default());
    let account = Account { quota: Some(2), ..Account::with_client("shop-client", "shop-secret") };
    default.put_account("shop", account);
    let shop = default.account("shop");
    shop.add_token("shop-token", Token { identity: "identities/shop".to_owned(), ..Token::default() });
    shop.put("c", "k", Credential::named("Shop"));
    (default, shop)
}

/// The same name stands for two credentials, and a write reaches one of them.
#[tokio::test]
async fn accounts_hold_their_own_credentials() {
    let (default, shop) = two_accounts();
    let body = Some(json!({"displayName": "Renamed"}));
    let answer = call_as(&default, Some("shop-token"), "PATCH", &format!("{ITEM}?updateMask=display_name"), body).await;
    assert_eq!(answer.json()["updater"], "identities/shop");
    assert_eq!(shop.get("c", "k").unwrap().display_name, "Renamed");
    assert_eq!(default.get("c", "k").unwrap().display_name, "Checkout");
    let page = call_as(&default, Some("shop-token"), "GET", LIST, None).await.json();
    assert_eq!(page["clientCredentials"].as_array().unwrap().len(), 1);
    let accounts: Vec<_> = default.calls().into_iter().filter_map(|call| call.account).collect();
    assert_eq!(accounts, ["shop", "shop"]);
}

/// An id and a secret are exchanged for a token of their account, and its end is that account's own.
#[tokio::test]
async fn exchanged_token_belongs_to_its_account() {
    let (default, shop) = two_accounts();
    let exchange = async |id: &str, secret: &str| {
        let body = json!({"grantType": "client_credentials", "clientId": id, "clientSecret": secret});
        call_as(&default, None, "POST", "/v1/oauth/token", Some(body)).await.json()["accessToken"]
            .as_str()
            .map(str::to_owned)
    };
    let of_shop = exchange("shop-client", "shop-secret").await.unwrap();
    let of_default = exchange("test-client", "test-client-secret").await.unwrap();
    assert_eq!(exchange("shop-client", "test-client-secret").await, None);
    let name = async |token: &str| {
        let answer = call_as(&default, Some(token), "GET", ITEM, None).await;
        (answer.status, answer.json()["displayName"].as_str().map(str::to_owned))
    };
    default.reconfigure(|config| config.accounts.get_mut("shop").unwrap().quota = None);
    assert_eq!(name(&of_shop).await, (200, Some("Shop".to_owned())));
    shop.revoke_issued_tokens();
    assert_eq!((name(&of_shop).await.0, name(&of_default).await.0), (401, 200));
}

/// One account is over its quota, and one is down; the other is not.
#[tokio::test(start_paused = true)]
async fn accounts_are_throttled_and_fail_apart() {
    let (default, _) = two_accounts();
    default.reconfigure(|config| config.quota = Some(2));
    let get = async |token| call_as(&default, Some(token), "GET", ITEM, None).await.status;
    assert_eq!([get("shop-token").await, get("shop-token").await, get("shop-token").await], [200, 200, 429]);
    assert_eq!([get("test-token").await, get("test-token").await, get("test-token").await], [200, 200, 429]);
    default.reconfigure(|config| config.quota = None);
    default.fault(Fault::always(FaultKind::status(503)).with_account("shop"));
    assert_eq!([get("shop-token").await, get("test-token").await], [503, 200]);
    let token = json!({"grantType": "client_credentials", "clientId": "shop-client", "clientSecret": "shop-secret"});
    assert_eq!(call_as(&default, None, "POST", "/v1/oauth/token", Some(token)).await.status, 503);
}

/// Reading, creating, updating and deleting: each needs its scope.
#[tokio::test]
async fn each_call_needs_its_scope() {
    let simulator = simulator(Config::default());
    for (scope, allowed) in [(READ, "GET"), (CREATE, "POST"), (UPDATE, "PATCH DELETE")] {
        simulator.add_token("scoped", Token::with_scopes([scope]));
        for (method, uri) in [("GET", ITEM), ("GET", LIST), ("GET", "/v1/clients"), ("POST", LIST), ("PATCH", ITEM)] {
            let body = matches!(method, "POST" | "PATCH").then(|| json!({"displayName": "A"}));
            let status = call_as(&simulator, Some("scoped"), method, uri, body).await.status;
            assert_eq!(status, if allowed.contains(method) { 200 } else { 403 }, "{method} {uri} with {scope}");
        }
    }
    simulator.add_token("scoped", Token::with_scopes([READ, CREATE]));
    assert_eq!(call_as(&simulator, Some("scoped"), "DELETE", ITEM, None).await.status, 403);
}

/// What a caller may not see is in no LIST; its GET is 403 or 404.
#[tokio::test]
async fn permissions_differ_by_credential() {
    for (permission, [get, patch], is_listed) in [
        (Permission::Full, [200, 200], true),
        (Permission::ReadOnly, [200, 403], true),
        (Permission::WriteOnly, [403, 200], false),
        (Permission::Forbidden, [403, 403], false),
        (Permission::Hidden, [404, 404], false),
    ] {
        let simulator = simulator(Config::default());
        simulator.put("c", "other", Credential::named("Other"));
        let token = Token::default().with_permission("*", permission).with_permission("other", Permission::Full);
        simulator.add_token("test-token", token);
        assert_eq!(call(&simulator, "GET", ITEM, None).await.status, get, "{permission:?}");
        let body = Some(json!({"displayName": "A"}));
        assert_eq!(call(&simulator, "PATCH", ITEM, body).await.status, patch, "{permission:?}");
        let page = call(&simulator, "GET", LIST, None).await.json();
        let listed = page["clientCredentials"].as_array().unwrap().len();
        assert_eq!(listed, 1 + usize::from(is_listed), "{permission:?}");
        assert_eq!(call(&simulator, "GET", &format!("{LIST}/other"), None).await.status, 200);
    }
}

/// Two credentials of one name: somebody edits that of the shop.
#[tokio::test]
async fn outsider_writes_in_one_account() {
    let (default, shop) = two_accounts();
    assert!(shop.edit("c", "k", |credential| credential.labels.clear()));
    assert_eq!(shop.get("c", "k").unwrap().updater, SOMEBODY_ELSE);
    assert_eq!(default.get("c", "k").unwrap().updater, "");
}
