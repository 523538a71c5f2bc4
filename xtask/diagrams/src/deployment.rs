//! The deployment diagram, from the template: nodes, the artifacts on them, and
//! the communication paths between them.
//!
//! A template has many resources for each that matters. Those of one function
//! (its role, its log, its alarms) are a line in its node, those that make up a
//! network (routes, groups) are left out, and all of the monitoring is one node.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};
use template::{Function, Resource, Template};

use crate::{
    component::Routed,
    store,
    style::{self, Colour, Sign, alias, wrapped},
};

/// Draws the diagram.
#[must_use]
pub fn draw(template: &Template, routed: &BTreeMap<String, Routed>) -> String {
    let mut drawing = Drawing {
        template,
        routed,
        text: style::begin("deployment", "Where everything runs"),
        edges: BTreeSet::new(),
    };
    drawing.line("skinparam nodesep 12\nskinparam ranksep 42\nactor clients");
    drawing.line("node \"AWS: one stack in one region\" as stack {");
    drawing.apis();
    let mut places = drawing.places();
    let outside = places.remove(&BTreeSet::new()).unwrap_or_default();
    drawing.line("node \"Lambda, outside of any network\" as outside {");
    for id in &outside {
        drawing.resource(id);
    }
    drawing.line("}");
    drawing.networks(&places);
    drawing.tables();
    drawing.invokers();
    drawing.monitoring();
    drawing.line("}");
    drawing.paths(&outside);
    let Drawing {
        mut text, edges, ..
    } = drawing;
    for edge in edges {
        text.push_str(&edge);
        text.push('\n');
    }
    text.push_str(&style::end(&[
        (
            Sign::Box(Colour::Function),
            "a function, and the binary that is deployed on it",
        ),
        (Sign::Box(Colour::Store), "a store"),
        (Sign::Box(Colour::Platform), "a service of AWS"),
        (
            Sign::Line("──>"),
            "a communication path, from the side that opens it",
        ),
        (Sign::Line("{ }"), "deployed only under this condition"),
    ]));
    text
}

struct Drawing<'t> {
    template: &'t Template,
    routed: &'t BTreeMap<String, Routed>,
    text: String,
    edges: BTreeSet<String>,
}

impl<'t> Drawing<'t> {
    fn apis(&mut self) {
        for (id, _) in self.template.of_type("AWS::Serverless::HttpApi") {
            self.node(id, "API Gateway: HTTP API");
            self.edge("clients", &resource(id), "HTTPS");
        }
    }

    /// The functions, databases and proxies by the subnets that they are in.
    fn places(&self) -> BTreeMap<BTreeSet<&'t str>, Vec<&'t str>> {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for (id, resource) in &self.template.resources {
            let is_placed = [
                "AWS::Serverless::Function",
                "AWS::RDS::DBInstance",
                "AWS::RDS::DBProxy",
            ];
            if is_placed.contains(&resource.kind.as_str()) {
                let subnets = self.subnets(resource);
                places.entry(subnets).or_default().push(id.as_str());
            }
        }
        places
    }

    /// The subnets that a resource is in, directly or through a group of them.
    fn subnets(&self, resource: &'t Resource) -> BTreeSet<&'t str> {
        let mut subnets = BTreeSet::new();
        for id in self.template.references(&resource.properties) {
            match self.template.resources.get(id) {
                Some(it) if it.kind == "AWS::EC2::Subnet" => {
                    subnets.insert(id);
                }
                Some(it) if it.kind == "AWS::RDS::DBSubnetGroup" => {
                    subnets.extend(self.subnets(it));
                }
                _ => {}
            }
        }
        subnets
    }

    fn networks(&mut self, places: &BTreeMap<BTreeSet<&'t str>, Vec<&'t str>>) {
        let template = self.template;
        for (id, network) in template.of_type("AWS::EC2::VPC") {
            let block = network.text("CidrBlock").unwrap_or_default();
            let alias_of_network = resource(id);
            self.line(format_args!(
                "node \"**{id}**: a network of its own, {block}\" as {alias_of_network} {{"
            ));
            let is_of_this = |subnet: &&str| {
                let subnet = template.resources.get(*subnet);
                subnet.is_some_and(|it| template.references(&it.properties).contains(id))
            };
            for (subnets, members) in places {
                if !subnets.iter().any(is_of_this) {
                    continue;
                }
                let names: Vec<_> = subnets.iter().copied().collect();
                self.line(format_args!(
                    "node \"{}: private subnets\" as {} {{",
                    names.join(" and "),
                    alias("subnets", &names.join(" "))
                ));
                for member in members {
                    self.resource(member);
                }
                self.line("}");
            }
            for (gateway, resource) in &template.resources {
                let about = match resource.kind.as_str() {
                    "AWS::EC2::EgressOnlyInternetGateway" => "out over IPv6, and nothing in".into(),
                    "AWS::EC2::VPCEndpoint" => {
                        let service = resource.text("ServiceName").unwrap_or_default();
                        let service = service.rsplit('.').next().unwrap_or_default();
                        format!("to {} alone", service.to_uppercase())
                    }
                    _ => continue,
                };
                if template.references(&resource.properties).contains(id) {
                    self.node(gateway, &about);
                }
            }
            self.line("}");
        }
    }

    fn tables(&mut self) {
        let colour = Colour::Platform.light();
        self.line(format_args!("node \"DynamoDB\" as dynamodb {colour} {{"));
        for (id, _) in self.template.of_type("AWS::DynamoDB::Table") {
            self.line(format_args!("database \"**{id}**\" as {}", resource(id)));
        }
        self.line("}");
    }

    /// The resources besides the API that invoke functions, and those they write to.
    fn invokers(&mut self) {
        let template = self.template;
        for (id, it) in &template.resources {
            let about = match it.kind.as_str() {
                "AWS::SQS::Queue" => "a queue",
                kind if kind.starts_with("Custom::") => "CloudFormation, at each deployment",
                _ => continue,
            };
            self.node(id, about);
            let named = template.references(&it.properties);
            for function in template.functions() {
                let (there, me) = (resource(id), resource(function.id));
                if named.contains(function.id) {
                    self.edge(&there, &me, "invokes");
                } else if template
                    .references(&function.resource.properties)
                    .contains(id.as_str())
                {
                    // Backwards, so that it is drawn beside what invokes.
                    self.edges.insert(format!("{there} <-- {me}"));
                }
            }
        }
    }

    fn monitoring(&mut self) {
        let template = self.template;
        let parts = [
            ("AWS::CloudWatch::Alarm", "alarm"),
            ("AWS::Logs::LogGroup", "log group"),
            ("AWS::CloudWatch::Dashboard", "dashboard"),
        ];
        let parts = parts.map(|(kind, name)| plural(template.of_type(kind).count(), name));
        let (parts, colour) = (parts.join("\\n"), Colour::Platform.light());
        self.line(format_args!(
            "node \"**CloudWatch**\\n{parts}\" as monitoring {colour}"
        ));
        for (id, _) in template.of_type("AWS::SNS::Topic") {
            self.node(id, "notifies the operators");
            self.edge("monitoring", &resource(id), "notifies");
        }
    }

    /// A function, a database or a proxy.
    fn resource(&mut self, id: &str) {
        let template = self.template;
        if let Some(function) = template.functions().find(|it| it.id == id) {
            return self.function(function);
        }
        let Some(it) = template.resources.get(id) else {
            return;
        };
        if it.kind == "AWS::RDS::DBProxy" {
            return self.node(id, "RDS Proxy: shares connections");
        }
        let engine = it.text("Engine").unwrap_or("SQL");
        let version = it.text("EngineVersion").unwrap_or_default();
        self.line(format_args!(
            "database \"**{id}**\\nRDS: {engine} {version}\" as {}",
            resource(id)
        ));
    }

    fn function(
        &mut self,
        Function {
            id,
            binary,
            resource,
            ..
        }: Function<'_>,
    ) {
        let template = self.template;
        let kinds: BTreeSet<_> = template
            .references(&resource.properties)
            .into_iter()
            .filter_map(|id| template.resources.get(id))
            .map(|it| it.kind.as_str())
            .collect();
        let watches = |alarm: &Resource| {
            let watched = template.references(&alarm.properties);
            // Directly, or through a metric that its code emits.
            let dimensions = alarm.properties.get("Dimensions");
            let mut dimensions = dimensions.and_then(Value::as_array).into_iter().flatten();
            let emitted = json!({ "Name": "function", "Value": binary });
            watched.contains(id) || dimensions.any(|dimension| *dimension == emitted)
        };
        let alarms = template.of_type("AWS::CloudWatch::Alarm");
        let alarms = alarms.filter(|(_, alarm)| watches(alarm)).count();
        let memory = resource.properties.get("MemorySize");
        let mut about: Vec<_> = memory.map(|it| format!("{it} MB")).into_iter().collect();
        for (kind, what) in [
            ("AWS::IAM::Role", "own role"),
            ("AWS::Logs::LogGroup", "own log"),
        ] {
            about.extend(kinds.contains(kind).then(|| what.to_owned()));
        }
        if alarms > 0 {
            about.push(plural(alarms, "alarm"));
        }
        let about = wrapped(about.iter().map(String::as_str), ", ", 18);
        let about = about.replace("\\n", "\\n<plain><size:11>");
        let (alias, colour) = (self::resource(id), Colour::Function.light());
        self.line(format_args!(
            "node \"**{id}**\\n<plain><size:11>{about}\" as {alias} {colour} {{"
        ));
        self.line(format_args!("artifact \"{binary}\" as {alias}_binary"));
        self.line("}");
    }

    /// A node of AWS, with its condition and a line about it.
    fn node(&mut self, id: &str, about: &str) {
        let it = self.template.resources.get(id);
        let condition = it.and_then(|it| it.condition.as_ref());
        let condition = condition.map_or_else(String::new, |it| format!(" {{{it}}}"));
        let (alias, colour) = (resource(id), Colour::Platform.light());
        self.line(format_args!(
            "node \"**{id}**{condition}\\n{about}\" as {alias} {colour}"
        ));
    }

    /// From the API to the functions, and from them to their stores and out.
    fn paths(&mut self, outside: &[&str]) {
        let template = self.template;
        let apis = template.of_type("AWS::Serverless::HttpApi");
        let apis: Vec<_> = apis.map(|(id, _)| id).collect();
        for function in template.functions() {
            let me = resource(function.id);
            let is_outside = outside.contains(&function.id);
            let events = function.resource.properties.get("Events");
            let named = events.map(|it| template.references(it)).unwrap_or_default();
            for api in apis.iter().filter(|api| named.contains(**api)) {
                // One edge represents those to all functions outside the network.
                let to = if is_outside { "outside" } else { &me };
                self.edge(&resource(api), to, "invokes");
            }
            self.stores(function.resource, &me);
            let routed = self.routed.get(function.binary);
            if routed.is_some_and(|it| !it.calls.is_empty()) {
                for api in &apis {
                    self.calls(&me, is_outside, &resource(api));
                }
            }
        }
    }

    /// From a function to the API; backwards, so that the API stays on top.
    fn calls(&mut self, me: &str, is_outside: bool, api: &str) {
        if is_outside {
            self.edges.insert(format!("{api} <-- {me} : HTTPS"));
            return;
        }
        let ways_out = "AWS::EC2::EgressOnlyInternetGateway";
        for (way, _) in self.template.of_type(ways_out) {
            let way = resource(way);
            self.edges.insert(format!("{way} <-- {me} : HTTPS"));
            self.edges.insert(format!("{api} <-- {way}"));
        }
    }

    fn stores(&mut self, function: &Resource, me: &str) {
        let template = self.template;
        let environment = function.environment();
        for (store, variables) in store::of(template, function) {
            let there = resource(&store.id);
            let protocol = match store.product {
                "DynamoDB" => "HTTPS",
                product => product,
            };
            let values = variables.iter().filter_map(|it| environment.get(it));
            let named: BTreeSet<_> = values.flat_map(|it| template.references(it)).collect();
            let proxies = template.of_type("AWS::RDS::DBProxy");
            for (proxy, _) in proxies.filter(|(id, _)| named.contains(id)) {
                let proxy = resource(proxy);
                self.edge(me, &proxy, protocol);
                self.edge(&proxy, &there, protocol);
            }
            if named.contains(store.id.as_str()) {
                self.edge(me, &there, protocol);
            }
        }
    }

    fn edge(&mut self, from: &str, to: &str, label: &str) {
        self.edges.insert(format!("{from} --> {to} : {label}"));
    }

    fn line(&mut self, line: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The alias of a resource.
fn resource(id: &str) -> String {
    alias("resource", id)
}

fn plural(count: usize, name: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {name}{end}")
}
