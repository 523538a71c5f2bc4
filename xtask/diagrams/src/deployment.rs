//! Where everything runs: nodes, what is deployed on them, and the paths
//! between, from the template.
//!
//! A template has ten resources for each that matters. What belongs to a
//! function (its role, its log, its alarms) is a line in it, what makes a
//! network (routes, groups) is left out, and what watches is one node.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use template::{Resource, Template};

use crate::{
    component::Routed,
    store,
    style::{self, Colour, Sign, alias, wrapped},
};

/// The diagram.
#[must_use]
pub fn draw(template: &Template, routed: &BTreeMap<String, Routed>) -> String {
    let mut text = style::begin("deployment", "Where everything runs");
    text.push_str("skinparam nodesep 12\nskinparam ranksep 42\nactor clients\n");
    let mut drawing = Drawing {
        template,
        routed,
        text,
        edges: BTreeSet::new(),
    };
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
    drawing.others();
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
        (Sign::Box(Colour::Store), "where data is kept"),
        (Sign::Box(Colour::Platform), "what AWS brings"),
        (
            Sign::Line("──>"),
            "a path of communication, from who opens it",
        ),
        (
            Sign::Line("{ }"),
            "only where the stack is deployed with it",
        ),
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
            let api = alias("resource", id);
            let colour = Colour::Platform.light();
            self.line(&format!(
                "node \"**{id}**\\nAPI Gateway: HTTP API\" as {api} {colour}"
            ));
            self.edge("clients", &api, "HTTPS");
        }
    }

    /// The functions, databases and proxies by the subnets that they are in.
    fn places(&self) -> BTreeMap<BTreeSet<&'t str>, Vec<&'t str>> {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for (id, resource) in &self.template.resources {
            let runs = [
                "AWS::Serverless::Function",
                "AWS::RDS::DBInstance",
                "AWS::RDS::DBCluster",
                "AWS::RDS::DBProxy",
            ];
            if runs.contains(&resource.kind.as_str()) {
                let place = self.subnets(resource);
                places.entry(place).or_default().push(id.as_str());
            }
        }
        places
    }

    /// The subnets that a resource is in, itself or by a group of them.
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
            self.line(&format!(
                "node \"**{id}**: a network of its own, {block}\" as {} {{",
                alias("resource", id)
            ));
            for (subnets, members) in places {
                let of_this = |subnet: &&&str| {
                    let subnet = template.resources.get(**subnet);
                    subnet.is_some_and(|it| template.references(&it.properties).contains(id))
                };
                if !subnets.iter().any(|it| of_this(&it)) {
                    continue;
                }
                let names: Vec<_> = subnets.iter().copied().collect();
                let alias = alias("subnets", &names.join(" "));
                self.line(&format!(
                    "node \"{}: private subnets\" as {alias} {{",
                    names.join(" and ")
                ));
                for member in members {
                    self.resource(member);
                }
                self.line("}");
            }
            for (gateway, resource) in &template.resources {
                let what = match resource.kind.as_str() {
                    "AWS::EC2::EgressOnlyInternetGateway" => "out over IPv6, and nothing in",
                    "AWS::EC2::NatGateway" => "out over IPv4, and nothing in",
                    "AWS::EC2::InternetGateway" => "out and in",
                    "AWS::EC2::VPCEndpoint" => "an endpoint of a service of AWS",
                    _ => continue,
                };
                if template.references(&resource.properties).contains(id) {
                    let service = resource
                        .text("ServiceName")
                        .and_then(|it| it.rsplit('.').next());
                    let what = service.map_or(what.to_owned(), |it| {
                        format!("to {} alone", it.to_uppercase())
                    });
                    self.node(gateway, &[what], Colour::Platform);
                }
            }
            self.line("}");
        }
    }

    fn tables(&mut self) {
        let template = self.template;
        let tables: Vec<_> = template.of_type("AWS::DynamoDB::Table").collect();
        if tables.is_empty() {
            return;
        }
        self.line(&format!(
            "node \"DynamoDB\" as dynamodb {} {{",
            Colour::Platform.light()
        ));
        for (id, _) in tables {
            self.line(&format!(
                "database \"**{id}**\" as {}",
                alias("resource", id)
            ));
        }
        self.line("}");
    }

    /// What a function has to do with besides all that is drawn by its own rule.
    fn others(&mut self) {
        let template = self.template;
        let functions: Vec<_> = template.of_type("AWS::Serverless::Function").collect();
        for (id, resource) in &template.resources {
            let drawn = match resource.kind.as_str() {
                "AWS::SQS::Queue" => Some("a queue"),
                "AWS::S3::Bucket" => Some("a bucket"),
                "AWS::Events::Rule" | "AWS::Scheduler::Schedule" => Some("a schedule"),
                kind if kind.starts_with("Custom::") => Some("CloudFormation, at each deployment"),
                _ => None,
            };
            let Some(what) = drawn else { continue };
            self.node(id, &[what.to_owned()], Colour::Platform);
            let named = template.references(&resource.properties);
            for (function, it) in &functions {
                if named.contains(function) {
                    self.edge(
                        &alias("resource", id),
                        &alias("resource", function),
                        "invokes",
                    );
                } else if template.references(&it.properties).contains(id.as_str()) {
                    // Backwards, so that it stands beside what invokes.
                    let (there, me) = (alias("resource", id), alias("resource", function));
                    self.edges.insert(format!("{there} <-- {me}"));
                }
            }
        }
    }

    fn monitoring(&mut self) {
        let template = self.template;
        let count = |kind: &str| template.of_type(kind).count();
        let (alarms, logs) = (
            count("AWS::CloudWatch::Alarm"),
            count("AWS::Logs::LogGroup"),
        );
        let dashboards = count("AWS::CloudWatch::Dashboard");
        let mut parts = Vec::new();
        for (count, one, many) in [
            (alarms, "alarm", "alarms"),
            (logs, "log group", "log groups"),
            (dashboards, "dashboard", "dashboards"),
        ] {
            match count {
                0 => {}
                1 => parts.push(format!("1 {one}")),
                _ => parts.push(format!("{count} {many}")),
            }
        }
        if parts.is_empty() {
            return;
        }
        let colour = Colour::Platform.light();
        self.line(&format!(
            "node \"**CloudWatch**\\n{}\" as monitoring {colour}",
            parts.join("\\n")
        ));
        for (id, _) in template.of_type("AWS::SNS::Topic") {
            self.node(
                id,
                &["writes to whoever is on call".to_owned()],
                Colour::Platform,
            );
            self.edge("monitoring", &alias("resource", id), "goes off");
        }
    }

    /// A function, a database or a proxy.
    fn resource(&mut self, id: &str) {
        let Some(resource) = self.template.resources.get(id) else {
            return;
        };
        match resource.kind.as_str() {
            "AWS::Serverless::Function" => self.function(id, resource),
            "AWS::RDS::DBProxy" => self.node(
                id,
                &["RDS Proxy: shares connections".to_owned()],
                Colour::Platform,
            ),
            _ => {
                let engine = resource.text("Engine").unwrap_or("SQL");
                let version = resource.text("EngineVersion").unwrap_or_default();
                let label = format!("**{id}**\\nRDS: {engine} {version}");
                self.line(&format!(
                    "database \"{label}\" as {}",
                    alias("resource", id)
                ));
            }
        }
    }

    fn function(&mut self, id: &str, resource: &Resource) {
        let template = self.template;
        let binary = resource.metadata.pointer("/BuildProperties/Binary");
        let binary = binary.and_then(|it| it.as_str()).unwrap_or(id);
        let memory = resource
            .properties
            .get("MemorySize")
            .map(|it| format!("{it} MB"));
        let kinds: BTreeSet<_> = template
            .references(&resource.properties)
            .into_iter()
            .filter_map(|id| template.resources.get(id))
            .map(|it| it.kind.as_str())
            .collect();
        let watches = |alarm: &Resource| {
            let watched = template.references(&alarm.properties);
            // By its name, or by a metric that is made of its log.
            let metric = alarm.text("MetricName").unwrap_or_default();
            watched.contains(id) || metric.starts_with(&format!("{binary}-"))
        };
        let alarms = template.of_type("AWS::CloudWatch::Alarm");
        let alarms = alarms.filter(|(_, alarm)| watches(alarm)).count();
        let mut about: Vec<String> = memory.into_iter().collect();
        for (kind, what) in [
            ("AWS::IAM::Role", "own role"),
            ("AWS::Logs::LogGroup", "own log"),
        ] {
            about.extend(kinds.contains(kind).then(|| what.to_owned()));
        }
        match alarms {
            0 => {}
            1 => about.push("1 alarm".to_owned()),
            _ => about.push(format!("{alarms} alarms")),
        }
        let about = wrapped(about.iter().map(String::as_str), ", ", 18);
        let about = about.replace("\\n", "\\n<plain><size:11>");
        let (alias, colour) = (alias("resource", id), Colour::Function.light());
        self.line(&format!(
            "node \"**{id}**\\n<plain><size:11>{about}\" as {alias} {colour} {{"
        ));
        self.line(&format!("artifact \"{binary}\" as {alias}_binary"));
        self.line("}");
    }

    fn node(&mut self, id: &str, about: &[String], colour: Colour) {
        let condition = self
            .template
            .resources
            .get(id)
            .and_then(|it| it.condition.as_ref());
        let mut label = format!("**{id}**");
        if let Some(condition) = condition {
            let _ = write!(label, " {{{condition}}}");
        }
        for line in about {
            let _ = write!(label, "\\n{line}");
        }
        self.line(&format!(
            "node \"{label}\" as {} {}",
            alias("resource", id),
            colour.light()
        ));
    }

    /// From the API to the functions, and from those to their stores and out.
    fn paths(&mut self, outside: &[&str]) {
        let template = self.template;
        let mut from_outside = BTreeSet::new();
        let apis: Vec<_> = template
            .of_type("AWS::Serverless::HttpApi")
            .map(|it| it.0)
            .collect();
        for template::Function {
            id,
            binary: name,
            resource: function,
            ..
        } in template.functions()
        {
            let me = alias("resource", id);
            let events = function.properties.get("Events");
            let named = events.map(|it| template.references(it)).unwrap_or_default();
            for api in apis.iter().filter(|api| named.contains(**api)) {
                // One path stands for those to all of them.
                if outside.contains(&id) {
                    from_outside.insert(*api);
                } else {
                    self.edge(&alias("resource", api), &me, "invokes");
                }
            }
            self.stores(function, &me);
            let calls = self.routed.get(name).is_some_and(|it| !it.calls.is_empty());
            if calls {
                self.way_to_the_api(&me, outside.contains(&id), &apis);
            }
        }
        for api in from_outside {
            self.edge(&alias("resource", api), "outside", "invokes");
        }
    }

    /// From a function that calls others; backwards, so that the API stays on top.
    fn way_to_the_api(&mut self, me: &str, outside: bool, apis: &[&str]) {
        let template = self.template;
        for api in apis {
            let api = alias("resource", api);
            if outside {
                self.edges.insert(format!("{api} <-- {me} : HTTPS"));
                continue;
            }
            for (way, _) in template.of_type("AWS::EC2::EgressOnlyInternetGateway") {
                let way = alias("resource", way);
                self.edges.insert(format!("{way} <-- {me} : HTTPS"));
                self.edges.insert(format!("{api} <-- {way}"));
            }
        }
    }

    fn stores(&mut self, function: &Resource, me: &str) {
        let template = self.template;
        for (store, variables) in store::of(template, function) {
            let there = alias("resource", &store.id);
            if !store.made {
                self.line(&format!(
                    "database \"**{}**\\n{}, elsewhere\" as {there}",
                    store.id, store.product
                ));
            }
            let protocol = match store.product.as_str() {
                "DynamoDB" => "HTTPS",
                product => product,
            };
            let named = |variable: &&&str| {
                let value = function.environment().get(**variable).copied();
                value.map(|it| template.references(it)).unwrap_or_default()
            };
            let named: BTreeSet<_> = variables.iter().flat_map(|it| named(&it)).collect();
            let proxies = template.of_type("AWS::RDS::DBProxy");
            let proxies: Vec<_> = proxies.filter(|(id, _)| named.contains(id)).collect();
            for (proxy, _) in &proxies {
                let proxy = alias("resource", proxy);
                self.edge(me, &proxy, protocol);
                self.edge(&proxy, &there, protocol);
            }
            if named.contains(store.id.as_str()) || proxies.is_empty() {
                self.edge(me, &there, protocol);
            }
        }
    }

    fn edge(&mut self, from: &str, to: &str, label: &str) {
        let label = if label.is_empty() {
            String::new()
        } else {
            format!(" : {label}")
        };
        self.edges.insert(format!("{from} --> {to}{label}"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  Net: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/24}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Net}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Net}}
  Way: {Type: AWS::EC2::EgressOnlyInternetGateway, Properties: {VpcId: !Ref Net}}
  Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [!Ref A, !Ref B]}}
  Db: {Type: AWS::RDS::DBInstance, Properties: {Engine: mysql, DBSubnetGroupName: !Ref Group}}
  Proxy: {Type: AWS::RDS::DBProxy, Condition: Large, Properties: {VpcSubnetIds: [!Ref A, !Ref B]}}
  Targets: {Type: AWS::RDS::DBProxyTargetGroup, Properties: {DBProxyName: !Ref Proxy, DBInstanceIdentifiers: [!Ref Db]}}
  InRole: {Type: AWS::IAM::Role}
  InFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: in}}
    Properties:
      MemorySize: 128
      Role: !GetAtt InRole.Arn
      VpcConfig: {SubnetIds: [!Ref A, !Ref B]}
      Environment: {Variables: {DB: !If [Large, !GetAtt Proxy.Endpoint, !GetAtt Db.Endpoint.Address]}}
      Events: {Root: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /in}}}
  InErrors: {Type: AWS::CloudWatch::Alarm, Properties: {Dimensions: [{Name: N, Value: !Ref InFunction}]}}
  Things: {Type: AWS::DynamoDB::Table}
  OutFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: out}}
    Properties:
      Environment: {Variables: {TABLE: !Ref Things}}
      Events: {Root: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /out}}}
";

    #[test]
    fn each_thing_stands_where_the_template_puts_it() {
        let calls = Routed {
            calls: vec!["/out".to_owned()],
            ..Routed::default()
        };
        let routed = BTreeMap::from([("in".to_owned(), calls)]);
        let drawn = draw(&Template::parse(TEMPLATE).unwrap(), &routed);
        for line in [
            "node \"A and B: private subnets\" as subnets_A_B {",
            "node \"**Proxy** {Large}\\nRDS Proxy: shares connections\" as resource_Proxy #ECE6F8",
            "artifact \"in\" as resource_InFunction_binary",
            "resource_Api --> resource_InFunction : invokes",
            "resource_Api --> outside : invokes",
            "resource_InFunction --> resource_Proxy : MySQL",
            "resource_Proxy --> resource_Db : MySQL",
            "resource_InFunction --> resource_Db : MySQL",
            "resource_Way <-- resource_InFunction : HTTPS",
            "resource_OutFunction --> resource_Things : HTTPS",
        ] {
            assert!(
                drawn.lines().any(|it| it == line),
                "{line} is not in\n{drawn}"
            );
        }
        assert!(
            drawn.contains("128 MB, own role\\n<plain><size:11>1 alarm"),
            "{drawn}"
        );
        assert_eq!(drawn.matches("as resource_Db").count(), 1, "{drawn}");
    }
}
