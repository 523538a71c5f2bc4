//! The rules of `template.yaml` that no linter checks: least privilege, and the
//! resources that every function has.

use std::collections::{BTreeMap, BTreeSet};
// region: mysql
use std::fs;
// endregion

use serde_json::{Value, json};
use testbed::template;

use crate::alarms;

pub fn resources(template: &Value) -> BTreeMap<&str, &Value> {
    let resources = template["Resources"].as_object().unwrap();
    resources
        .iter()
        .map(|(name, r)| (name.as_str(), r))
        .collect()
}

/// The functions by name: `Hello` for `HelloFunction`.
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

/// The policy statements of a role.
pub fn statements(properties: &Value) -> Vec<&Value> {
    let policies = properties["Policies"].as_array().unwrap();
    let statements = policies
        .iter()
        .map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    statements.flatten().collect()
}

/// The values of a member of a policy, which is one value or a list.
pub fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(several) => several.iter().flat_map(values).collect(),
        Value::String(value) => vec![value.clone()],
        other => vec![other.to_string()],
    }
}

/// The tables of a function are those that its environment names.
#[test]
fn only_the_role_of_their_owner_has_access_to_tables() {
    let template = alarms::template();
    for function in template.functions() {
        let role = function.resource.properties["Role"].as_str().unwrap();
        let role = &template.resources[role.strip_suffix(".Arn").unwrap()];
        let own: BTreeSet<_> = function.tables().into_values().collect();
        let mut allowed = BTreeSet::new();
        for statement in statements(&role.properties) {
            let actions = values(&statement["Action"]);
            if actions.iter().any(|action| action.starts_with("dynamodb:")) {
                let named = template.references(&statement["Resource"]).into_iter();
                // The parameter is a backup of the same table.
                allowed.extend(named.filter(|it| *it != "RestoredProducts"));
            }
        }
        assert_eq!(
            allowed, own,
            "left: the tables that the role of {} allows, right: those that it names",
            function.binary
        );
    }
}

/// `unbounded` lists the actions for which AWS supports no single resources.
#[test]
fn role_allows_single_actions_on_single_resources() {
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
    let template = alarms::template();
    for (id, role) in template.of_type("AWS::IAM::Role") {
        assert!(
            role.properties["ManagedPolicyArns"].is_null(),
            "{id} has a managed policy"
        );
        for statement in statements(&role.properties) {
            if statement["Effect"] == "Deny" {
                continue;
            }
            let any_resource = values(&statement["Resource"])
                .iter()
                .any(|r| r.contains('*'));
            for action in values(&statement["Action"]) {
                assert!(!action.contains('*'), "{id} allows {action}");
                assert!(
                    !any_resource || unbounded.contains(&action.as_str()),
                    "{id} allows {action} on any resource"
                );
            }
        }
    }
}

#[test]
fn every_function_has_its_own_role_log_group_and_alarms() {
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
        let writable = values(
            &statements(&resources[format!("{name}Role").as_str()]["Properties"])[0]["Resource"],
        );
        assert_eq!(
            writable,
            [format!("{log}.Arn")],
            "the log that {name} writes"
        );
        assert!(
            properties["MemorySize"].is_u64(),
            "{name} has no MemorySize"
        );

        let serves_http = !properties["Events"].is_null();
        let mut alarms = vec!["Errors", "Throttles", "Latency", "Concurrency"];
        if serves_http {
            alarms.push("ServerErrors");
            let rollback = &properties["DeploymentPreference"];
            assert_eq!(rollback["Enabled"], "Canary", "{name}");
            let canary = json!([["IsCanary", format!("{name}Canary"), "AWS::NoValue"]]);
            assert_eq!(rollback["Alarms"], canary, "what rolls {name} back");
            alarms.push("Canary");
        }
        for alarm in alarms {
            let id = format!("{name}{alarm}");
            let alarm = resources.get(id.as_str());
            let alarm = alarm.unwrap_or_else(|| panic!("{id} is missing"));
            assert_eq!(alarm["Type"], "AWS::CloudWatch::Alarm", "{id}");
            let text = alarm["Properties"].to_string();
            let function = format!("{name}Function");
            let dimension = json!({ "Name": "function", "Value": name.to_lowercase() });
            assert!(
                text.contains(&function) || text.contains(&dimension.to_string()),
                "{id} watches another function"
            );
            assert!(
                text.contains("AlarmTopic"),
                "{id} does not notify AlarmTopic"
            );
        }
    }
}

/// The gateway's timeout is 30 seconds.
#[test]
fn timeout_of_a_function_is_shorter_than_that_of_the_gateway() {
    let template = template();
    let common = template["Globals"]["Function"]["Timeout"].as_u64().unwrap();
    for (name, function) in functions(&template) {
        if !function["Properties"]["Events"].is_null() {
            let own = function["Properties"]["Timeout"].as_u64();
            assert!(own.unwrap_or(common) < 30, "{name}");
        }
    }
}

/// An operator decides whether data is retained when the stack is deleted. Idempotency
/// keys expire after a day and are not retained.
#[test]
fn parameter_protected_decides_whether_data_is_retained() {
    let template = template();
    for (id, resource) in resources(&template) {
        let retained = match resource["Type"].as_str().unwrap() {
            "AWS::DynamoDB::Table"
                if resource["Properties"]["TimeToLiveSpecification"].is_null() =>
            {
                "RetainExceptOnCreate"
            }
            "AWS::RDS::DBInstance" => "Snapshot",
            _ => continue,
        };
        let policy = &resource["DeletionPolicy"];
        assert_eq!(*policy, json!(["IsProtected", retained, "Delete"]), "{id}");
    }
    assert_eq!(template["Parameters"]["Protected"]["Default"], "true");
    // It would keep a failed first deployment from being rolled back.
    let refusal = &template["Parameters"]["DeletionProtection"];
    assert_eq!(refusal["Default"], "false");
}

/// SAM publishes a version for every change of a function only if it is asked to,
/// for each function.
#[test]
fn every_change_of_a_function_reaches_live() {
    let template = template();
    let transforms = values(&template["Transform"]);
    assert_eq!(
        transforms,
        ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
        "the first resolves the parameters, so that SAM sees a changed value"
    );
    for (name, function) in functions(&template) {
        let properties = &function["Properties"];
        assert_eq!(
            properties["AutoPublishAliasAllProperties"], true,
            "{name} lacks AutoPublishAliasAllProperties"
        );
        // What is not part of a version must be in the description, or Lambda has
        // nothing to publish and the deployment fails.
        let description = properties["Description"].to_string();
        // `!Ref parameter` or `!If [condition, parameter, …]`
        let reserved = &properties["ReservedConcurrentExecutions"];
        if let Some(parameter) = reserved.as_str().or_else(|| reserved[1].as_str()) {
            assert!(
                description.contains(&format!("${{{parameter}}}")),
                "the description of {name} lacks the reserved concurrency"
            );
        }
        // SAM sees the name of the database, not its address.
        if properties["Environment"].to_string().contains("Database.") {
            assert!(
                description.contains("${DatabaseGeneration}"),
                "the description of {name} lacks the generation of the database"
            );
        }
    }
}

/// A version's alarm sees that version alone, as a share of its requests.
#[test]
fn a_canary_is_judged_by_its_own_version() {
    let template = template();
    let resources = resources(&template);
    for (name, function) in functions(&template) {
        if function["Properties"]["Events"].is_null() {
            continue;
        }
        let alarm = resources[format!("{name}Canary").as_str()];
        let metrics = alarm["Properties"]["Metrics"].as_array().unwrap();
        let (rate, metrics) = metrics.split_first().unwrap();
        assert!(rate["Expression"].as_str().unwrap().ends_with("/ requests"));
        for metric in metrics {
            let dimensions = metric["MetricStat"]["Metric"]["Dimensions"].to_string();
            let version = format!("{name}Function.Version.Version");
            assert!(dimensions.contains(&version), "{name}: {metric}");
        }
        let filter = resources[format!("{name}VersionErrorsFilter").as_str()];
        let filter = &filter["Properties"]["MetricTransformations"][0];
        assert_eq!(
            filter["Dimensions"],
            json!([{ "Key": "Version", "Value": "$.version" }])
        );
    }
}

// region: mysql
/// A deployment to another region stops before anything is created.
#[test]
fn the_regions_are_those_whose_authorities_are_compiled_in() {
    let template = template();
    let rule = &template["Rules"]["Region"]["Assertions"][0]["Assert"]["Fn::Contains"];
    let allowed: BTreeSet<_> = values(&rule[0]).into_iter().collect();
    let roots = fs::read_dir(template::project().join("crates/mysql/roots")).unwrap();
    let names = roots.map(|root| root.unwrap().file_name().into_string().unwrap());
    let regions = names.filter_map(|name| Some(name.strip_suffix(".pem")?.to_owned()));
    assert_eq!(allowed, regions.collect());
    assert_eq!(rule[1], "AWS::Region");
}
// endregion

// region: mysql
/// RDS creates the log groups that are missing, and they never expire.
#[test]
fn the_logs_of_the_database_expire() {
    let template = template();
    let resources = resources(&template);
    let database = resources["Database"];
    let properties = &database["Properties"];
    let name = properties["DBInstanceIdentifier"].as_str().unwrap();
    let mut logs = BTreeSet::new();
    for id in values(&database["DependsOn"]) {
        let log = &resources[id.as_str()]["Properties"];
        assert_eq!(log["RetentionInDays"], "LogRetentionDays", "{id}");
        let group = log["LogGroupName"].as_str().unwrap();
        let log = group.strip_prefix(&format!("/aws/rds/instance/{name}/"));
        logs.insert(log.expect("a log group of the database").to_owned());
    }
    let exported = values(&properties["EnableCloudwatchLogsExports"]);
    assert_eq!(
        logs,
        exported.into_iter().collect(),
        "left: the logs that expire, right: those that are exported"
    );
}
// endregion

/// A quoted term of a search matches exactly, and `CloudFormation` appends a random
/// suffix to the names of functions.
#[test]
fn the_dashboard_searches_find_the_functions() {
    let template = template();
    let resources = resources(&template);
    let dashboard = &resources["Dashboard"]["Properties"];
    assert_eq!(
        dashboard["DashboardName"], "${AWS::StackName}-${AWS::Region}",
        "dashboards are global in an account"
    );
    let body = dashboard["DashboardBody"][0].as_str().unwrap();
    let searches: Vec<_> = body.split("SEARCH('").skip(1).collect();
    assert!(!searches.is_empty());
    // Part of the functions' names.
    let words = &dashboard["DashboardBody"][1]["Words"];
    assert_eq!(*words, json!([" ", ["-", "AWS::StackName"]]));
    // Those in the stack's own namespace are for the tests of the metrics.
    let lambda = searches.iter().filter(|it| it.starts_with("{AWS/Lambda"));
    for search in lambda {
        let search = search.split('\'').next().unwrap();
        let (quoted, words): (Vec<_>, Vec<_>) = search
            .split_whitespace()
            .skip(1)
            .partition(|term| term.contains('"'));
        assert_eq!(words, ["${Words}"], "{search}");
        assert!(
            quoted.iter().all(|term| term.starts_with("MetricName=")),
            "{search} is looked for exactly"
        );
    }
}

// region: mysql
/// Only functions that use it reach the database, only with a role, only over TLS.
#[test]
fn only_functions_that_use_the_database_reach_it() {
    let template = template();
    for (name, function) in functions(&template) {
        let properties = &function["Properties"];
        let in_network = !properties["VpcConfig"].is_null();
        let variables = &properties["Environment"]["Variables"];
        assert_eq!(in_network, !variables["MYSQL_URL"].is_null(), "{name}");
        if in_network {
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
    // Those of a snapshot cannot be set.
    for (property, value) in [
        ("DBName", json!("kea")),
        ("MasterUsername", json!("admin")),
        ("StorageEncrypted", json!(true)),
    ] {
        let expected = json!(["HasDatabaseSnapshot", "AWS::NoValue", value]);
        assert_eq!(database[property], expected, "{property}");
    }
    assert_eq!(database["EnableIAMDatabaseAuthentication"], true);
    let parameters = &resources(&template)["DatabaseParameters"]["Properties"]["Parameters"];
    assert_eq!(parameters["require_secure_transport"], "1");
}

/// The schema is migrated before code that may need it receives requests.
#[test]
fn functions_of_the_database_wait_for_the_migration() {
    let template = template();
    let resources = resources(&template);
    for (name, function) in functions(&template) {
        let properties = &function["Properties"];
        let serves_http = !properties["Events"].is_null();
        if serves_http && !properties["Environment"]["Variables"]["MYSQL_URL"].is_null() {
            let after = values(&function["DependsOn"]);
            let ingress = format!("DatabaseIngressOf{name}");
            for needed in ["Migration", &ingress] {
                assert!(after.iter().any(|it| it == needed), "{name} {needed}");
            }
        }
    }
    let after = values(&resources["Migration"]["DependsOn"]);
    for needed in ["DatabaseIngressOfMigrate", "RouteOut", "S3Endpoint"] {
        assert!(after.iter().any(|it| it == needed), "{needed}");
    }
    let migration = &resources["Migration"]["Properties"];
    // Settings of asynchronous invocations go by qualifier.
    assert_eq!(migration["ServiceToken"], "MigrateFunction.Alias");
    assert_eq!(migration["Code"], "MigrateFunction.Version");
    assert_eq!(migration["Database"], "Database.DbiResourceId");
}
// endregion
