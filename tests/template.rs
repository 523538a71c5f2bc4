//! What no linter sees in `template.yaml`: that a function may do just what it
//! does, and that each has what every function should have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use http::Method;
use serde_json::{Value, json};
use template::Template;
use testbed::{FUNCTIONS, System, template, wire::Action};

fn resources(template: &Value) -> BTreeMap<&str, &Value> {
    let resources = template["Resources"].as_object().unwrap();
    resources
        .iter()
        .map(|(name, r)| (name.as_str(), r))
        .collect()
}

/// The functions, by their names in the template: `Hello` for `HelloFunction`.
fn functions(template: &Value) -> BTreeMap<&str, &Value> {
    let functions = resources(template)
        .into_iter()
        .filter(|(_, r)| r["Type"] == "AWS::Serverless::Function");
    functions
        .map(|(id, function)| {
            let name = id.strip_suffix("Function");
            (name.expect("a function's id ends with Function"), function)
        })
        .collect()
}

/// The statements of a role: what it may do (or may not), to what.
fn statements(properties: &Value) -> Vec<&Value> {
    let policies = properties["Policies"].as_array().unwrap();
    let statements = policies
        .iter()
        .map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    statements.flatten().collect()
}

/// One or several of something, as policies have it.
fn several(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(several).collect(),
        Value::String(value) => vec![value.clone()],
        other => vec![other.to_string()],
    }
}

/// The actions of `DynamoDB` that a role allows, and the table or index.
fn allowed(role: &Value) -> BTreeSet<Action> {
    let mut allowed = BTreeSet::new();
    for statement in statements(&role["Properties"]) {
        for action in several(&statement["Action"]) {
            let Some(action) = action.strip_prefix("dynamodb:") else {
                continue;
            };
            for resource in several(&statement["Resource"]) {
                allowed.insert((action.to_owned(), resource));
            }
        }
    }
    allowed
}

/// The table or index of a request, as the template's policies name it.
fn named(template: &Template, target: &str) -> String {
    let (table, index) = target
        .split_once('/')
        .map_or((target, None), |(table, index)| (table, Some(index)));
    let mut tables = template.of_type("AWS::DynamoDB::Table").map(|(id, _)| id);
    let id = tables.find(|id| table.ends_with(&format!("-{}", template::table_name(id))));
    let id = id.unwrap_or_else(|| panic!("{table} is no table of the template"));
    match index {
        Some(index) => format!("${{{id}.Arn}}/{index}"),
        None => format!("{id}.Arn"),
    }
}

/// All that the tests' suite of events asks, and what takes two requests.
#[tokio::test]
async fn the_catalogue_may_do_what_it_does_and_no_more() {
    let system = System::with_samples().await;
    for entry in fs::read_dir(stores::project().join("events/nosqldata")).unwrap() {
        let event = fs::read_to_string(entry.unwrap().path()).unwrap();
        let event = serde_json::from_str(&event).unwrap();
        system.invoke("nosqldata", &event).await;
    }
    let product = json!({
        "name": "Pot", "category": "coffee", "price": { "amount": 1, "currency": "DKK" },
    });
    for _ in 0..2 {
        let key = ("idempotency-key", "once");
        let json = ("content-type", "application/json");
        let body = product.to_string().into_bytes();
        let answer = system
            .client
            .send(Method::POST, "/nosqldata", &[key, json], body)
            .await;
        answer.expect(201);
    }
    system
        .client
        .put("/nosqldata/pot", &product)
        .await
        .expect(201);
    let patch = json!({ "name": "Moka pot" });
    system
        .client
        .patch("/nosqldata/pot", &patch)
        .await
        .expect(200);
    let none: &[u8] = &[];
    system
        .client
        .send(Method::DELETE, "/nosqldata/pot", &[], none.to_vec())
        .await
        .expect(204);

    let described = Template::read(&template::path()).unwrap();
    let asked = system.dynamodb.actions().into_iter();
    let asked: BTreeSet<_> = asked
        .map(|(action, target)| (action, named(&described, &target)))
        .collect();
    let template = template();
    let resources = resources(&template);
    let allowed = allowed(resources["NosqldataRole"]);
    assert_eq!(
        asked, allowed,
        "left: what the suite made nosqldata ask of DynamoDB, right: what NosqldataRole allows"
    );
}

/// The tables of a function are those that its environment names.
#[test]
fn only_their_owner_may_use_its_tables() {
    let template = Template::read(&template::path()).unwrap();
    for function in template.functions() {
        let role = function.resource.properties["Role"].as_str().unwrap();
        let role = &template.resources[role.strip_suffix(".Arn").unwrap()];
        let own: BTreeSet<_> = function.tables().into_values().collect();
        let mut allowed = BTreeSet::new();
        for statement in statements(&role.properties) {
            let actions = several(&statement["Action"]);
            if actions.iter().any(|action| action.starts_with("dynamodb:")) {
                allowed.extend(template.references(&statement["Resource"]));
            }
        }
        assert_eq!(
            allowed, own,
            "left: the tables that the role of {} allows, right: those that it names",
            function.binary
        );
    }
}

/// Each action is named, and each thing it is done to; what AWS allows for all
/// things or none is listed here.
#[test]
fn a_role_allows_single_actions_on_single_resources() {
    let unbounded = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ];
    let template = template();
    for (id, resource) in resources(&template) {
        if resource["Type"] != "AWS::IAM::Role" {
            continue;
        }
        assert!(
            resource["Properties"]["ManagedPolicyArns"].is_null(),
            "{id} has a policy that is not in the template"
        );
        for statement in statements(&resource["Properties"]) {
            if statement["Effect"] == "Deny" {
                continue;
            }
            let anything = several(&statement["Resource"])
                .iter()
                .any(|r| r.contains('*'));
            for action in several(&statement["Action"]) {
                assert!(!action.contains('*'), "{id} allows {action}");
                assert!(
                    !anything || unbounded.contains(&action.as_str()),
                    "{id} allows {action} on anything"
                );
            }
        }
    }
}

#[test]
fn every_function_has_a_role_a_log_and_alarms_of_its_own() {
    let template = template();
    let resources = resources(&template);
    for (name, function) in functions(&template) {
        let properties = &function["Properties"];
        assert_eq!(properties["Role"], format!("{name}Role.Arn"), "{name}");
        let log = format!("{name}LogGroup");
        assert_eq!(
            properties["LoggingConfig"],
            json!({ "LogFormat": "JSON", "LogGroup": log }),
            "{name}"
        );
        assert_eq!(resources[log.as_str()]["Type"], "AWS::Logs::LogGroup");
        assert!(!resources[log.as_str()]["Properties"]["RetentionInDays"].is_null());
        let own = several(
            &statements(&resources[format!("{name}Role").as_str()]["Properties"])[0]["Resource"],
        );
        assert_eq!(own, [format!("{log}.Arn")], "the log that {name} writes");
        assert!(
            properties["MemorySize"].is_u64(),
            "{name} has no memory of its own"
        );

        let answers = !properties["Events"].is_null();
        let mut alarms = vec!["Errors", "Throttles", "Latency", "Concurrency"];
        if answers {
            alarms.push("ServerErrors");
            let rollback = &properties["DeploymentPreference"];
            assert_eq!(rollback["Enabled"], "Canary", "{name}");
            assert_eq!(
                rollback["Alarms"],
                json!([format!("{name}Errors"), format!("{name}ServerErrors")]),
                "what rolls {name} back"
            );
        }
        for alarm in alarms {
            let id = format!("{name}{alarm}");
            let alarm = resources.get(id.as_str());
            let alarm = alarm.unwrap_or_else(|| panic!("{id} is missing"));
            assert_eq!(alarm["Type"], "AWS::CloudWatch::Alarm", "{id}");
            let text = alarm["Properties"].to_string();
            let about = format!("{name}Function");
            let counted = format!("{}-server-errors", name.to_lowercase());
            assert!(
                text.contains(&about) || text.contains(&counted),
                "{id} is about another"
            );
            assert!(text.contains("AlarmTopic"), "nobody is told of {id}");
        }
    }
    let named: BTreeSet<_> = functions(&template)
        .into_keys()
        .map(str::to_lowercase)
        .collect();
    for &function in FUNCTIONS.iter() {
        assert!(
            named.contains(function),
            "{function} is not in the template"
        );
    }
}

/// The API waits 30 seconds; a function that takes longer answers nobody.
#[test]
fn a_function_that_answers_has_less_time_than_the_api_waits() {
    let template = template();
    let common = template["Globals"]["Function"]["Timeout"].as_u64().unwrap();
    for (name, function) in functions(&template) {
        if !function["Properties"]["Events"].is_null() {
            let own = function["Properties"]["Timeout"].as_u64();
            assert!(own.unwrap_or(common) < 30, "{name}");
        }
    }
}

/// Whose data outlives a stack is the operator's decision. Keys and stored
/// responses expire after a day and need not.
#[test]
fn data_is_kept_if_the_parameter_says_so() {
    let template = template();
    for (id, resource) in resources(&template) {
        let kept = match resource["Type"].as_str().unwrap() {
            "AWS::DynamoDB::Table"
                if resource["Properties"]["TimeToLiveSpecification"].is_null() =>
            {
                "Retain"
            }
            "AWS::RDS::DBInstance" => "Snapshot",
            _ => continue,
        };
        let policy = &resource["DeletionPolicy"];
        assert_eq!(*policy, json!(["IsProtected", kept, "Delete"]), "{id}");
    }
    assert_eq!(template["Parameters"]["Protected"]["Default"], "true");
}

/// Only functions that use it reach the database, only with a role, only over TLS.
#[test]
fn only_functions_that_use_the_database_reach_it() {
    let template = template();
    for (name, function) in functions(&template) {
        let properties = &function["Properties"];
        let joined = !properties["VpcConfig"].is_null();
        let variables = &properties["Environment"]["Variables"];
        assert_eq!(joined, !variables["MYSQL_URL"].is_null(), "{name}");
        if joined {
            assert_eq!(variables["MYSQL_TLS"], "rds", "{name}");
            let url = variables["MYSQL_URL"].to_string();
            let credentials = url
                .split("://")
                .nth(1)
                .and_then(|rest| rest.split('@').next());
            assert!(
                !credentials.unwrap().contains(':'),
                "{name} has a password: {url}"
            );
        }
    }
    for (id, resource) in resources(&template) {
        let properties = &resource["Properties"];
        if resource["Type"] == "AWS::EC2::SecurityGroup" {
            assert!(properties["SecurityGroupIngress"].is_null(), "{id}");
        }
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress" {
            assert!(!properties["SourceSecurityGroupId"].is_null(), "{id}");
            assert_eq!(
                [&properties["FromPort"], &properties["ToPort"]],
                [3306, 3306],
                "{id}"
            );
        }
    }
    let database = &resources(&template)["Database"]["Properties"];
    assert_eq!(database["PubliclyAccessible"], false);
    assert_eq!(database["StorageEncrypted"], true);
    assert_eq!(database["EnableIAMDatabaseAuthentication"], true);
    let parameters = &resources(&template)["DatabaseParameters"]["Properties"]["Parameters"];
    assert_eq!(parameters["require_secure_transport"], "1");
}

/// The schema is up to date before code that may need it takes traffic.
#[test]
fn functions_of_the_database_wait_for_the_migration() {
    let template = template();
    let resources = resources(&template);
    for (id, function) in functions(&template) {
        let properties = &function["Properties"];
        let answers = !properties["Events"].is_null();
        if answers && !properties["Environment"]["Variables"]["MYSQL_URL"].is_null() {
            assert_eq!(function["DependsOn"], "Migration", "{id}");
        }
    }
    let migration = &resources["Migration"]["Properties"];
    assert_eq!(migration["ServiceToken"], "MigrateFunction.Arn");
    assert_eq!(migration["Code"], "MigrateFunction.Version");
}
