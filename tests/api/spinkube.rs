//! What is in `deploy/spinkube`, as strictly as a cluster reads it: every field must be one that the definitions of
//! SpinKube's operator 0.6 or Kubernetes have (a cluster drops the others silently), and names must be those of
//! `spin.toml`. No cluster has run it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use buddy_tests::project_root;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resource<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

/// `SpinAppExecutorSpec` in the operator's `api/v1alpha1/spinappexecutor_types.go`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Executor {
    create_deployment: bool,
    deployment_config: DeploymentConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeploymentConfig {
    runtime_class_name: Option<String>,
    spin_image: Option<String>,
    #[serde(rename = "installDefaultCACerts")]
    install_default_ca_certs: bool,
}

/// `SpinAppSpec` in `api/v1alpha1/spinapp_types.go`, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct App {
    executor: String,
    image: String,
    replicas: Option<u32>,
    #[serde(default)]
    enable_autoscaling: bool,
    checks: Checks,
    runtime_config: RuntimeConfig,
    variables: Vec<Setting>,
    resources: Resources,
    pod_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checks {
    readiness: Probe,
    liveness: Probe,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Probe {
    http_get: HttpGet,
    initial_delay_seconds: u32,
    timeout_seconds: u32,
    period_seconds: u32,
    failure_threshold: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpGet {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuntimeConfig {
    sqlite_databases: Vec<Backend>,
    key_value_stores: Vec<Backend>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    name: String,
    r#type: String,
    options: Vec<Setting>,
}

/// A variable or an option: a value, or where it stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Setting {
    name: String,
    value: Option<String>,
    value_from: Option<ValueFrom>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ValueFrom {
    secret_key_ref: SecretKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretKey {
    name: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    requests: BTreeMap<String, String>,
    limits: BTreeMap<String, String>,
}

/// `Secret` of Kubernetes, `v1`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Secret {
    api_version: String,
    kind: String,
    metadata: Metadata,
    r#type: String,
    string_data: BTreeMap<String, String>,
}

/// `HorizontalPodAutoscalerSpec` of Kubernetes, `autoscaling/v2`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Autoscaler {
    scale_target_ref: ScaleTarget,
    min_replicas: u32,
    max_replicas: u32,
    metrics: Vec<Metric>,
    behavior: Behavior,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScaleTarget {
    api_version: String,
    kind: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    r#type: String,
    resource: ResourceMetric,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceMetric {
    name: String,
    target: MetricTarget,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MetricTarget {
    r#type: String,
    average_utilization: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Behavior {
    scale_down: ScaleDown,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScaleDown {
    stabilization_window_seconds: u32,
}

/// `NetworkPolicySpec` of Kubernetes, `networking.k8s.io/v1`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NetworkPolicy {
    pod_selector: Selector,
    policy_types: Vec<String>,
    ingress: Vec<Ingress>,
    egress: Vec<Egress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingress {
    from: Vec<Peer>,
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Egress {
    #[serde(default)]
    to: Vec<Peer>,
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Peer {
    namespace_selector: Option<Selector>,
    pod_selector: Option<Selector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    protocol: String,
    port: u16,
}

fn read<T: DeserializeOwned>(file: &str) -> T {
    let text = fs::read_to_string(project_root().join("deploy/spinkube").join(file)).expect(file);
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn app() -> App {
    let app: Resource<App> = read("app.yaml");
    assert_eq!((app.api_version.as_str(), app.kind.as_str()), ("core.spinkube.dev/v1alpha1", "SpinApp"));
    app.spec
}

fn manifest() -> toml::Table {
    let text = fs::read_to_string(project_root().join("spin.toml")).expect("spin.toml can be read");
    text.parse().expect("spin.toml is TOML")
}

#[test]
fn an_unknown_field_is_refused() {
    let text = fs::read_to_string(project_root().join("deploy/spinkube/app.yaml")).expect("it can be read");
    let wrong = text.replace("timeoutSeconds", "timeoutSecond");
    assert_ne!(wrong, text);
    let error = serde_saphyr::from_str::<Resource<App>>(&wrong).err().expect("it is refused").to_string();
    assert!(error.contains("timeoutSecond"), "{error}");
}

#[test]
fn the_executor_runs_spin_itself() {
    let executor: Resource<Executor> = read("executor.yaml");
    assert_eq!(
        (executor.api_version.as_str(), executor.kind.as_str()),
        ("core.spinkube.dev/v1alpha1", "SpinAppExecutor")
    );
    assert_eq!(executor.metadata.name, app().executor);
    let config = executor.spec.deployment_config;
    assert!(executor.spec.create_deployment && config.install_default_ca_certs);
    let image = config.spin_image.expect("an image of Spin");
    let version = image.strip_prefix("ghcr.io/spinframework/spin:v").expect("Spin's own image, by its version");
    let version: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(version >= vec![4, 1], "WASI 0.3 needs Spin 4.1");
    assert_eq!(config.runtime_class_name, None, "never both");
}

#[test]
fn the_application_says_what_it_needs_in_the_words_of_its_manifest() {
    let (app, manifest) = (app(), manifest());
    assert!(app.replicas.is_some_and(|replicas| replicas >= 2) && !app.enable_autoscaling);
    assert!(app.image.contains(':'), "an image by its version");

    let known = manifest["variables"].as_table().expect("variables");
    let mut given = BTreeSet::new();
    for variable in &app.variables {
        assert!(known.contains_key(&variable.name), "spin.toml has no variable {}", variable.name);
        assert!(given.insert(variable.name.as_str()), "{} is said twice", variable.name);
        assert_ne!(variable.value.is_some(), variable.value_from.is_some(), "{}: one of both", variable.name);
        let is_secret = known[&variable.name].get("secret").is_some();
        assert_eq!(is_secret, variable.value_from.is_some(), "{}: secrets stand in a secret", variable.name);
    }
    let labels = |key: &str| -> BTreeSet<String> {
        let components = manifest["component"].as_table().expect("components").values();
        let granted = components.filter_map(|component| component.get(key)?.as_array());
        granted.flatten().map(|label| label.as_str().expect("a label").to_owned()).collect()
    };
    let names = |backends: &[Backend]| backends.iter().map(|backend| backend.name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(names(&app.runtime_config.sqlite_databases), labels("sqlite_databases"));
    assert_eq!(names(&app.runtime_config.key_value_stores), labels("key_value_stores"));
}

#[test]
fn secrets_come_from_the_secret_alone() {
    let secret: Secret = read("secret.example.yaml");
    assert_eq!((secret.api_version.as_str(), secret.kind.as_str(), secret.r#type.as_str()), ("v1", "Secret", "Opaque"));
    let config = app().runtime_config;
    for (backend, kind, options) in [
        (&config.sqlite_databases[0], "libsql", &["url", "token"][..]),
        (&config.key_value_stores[0], "redis", &["url"][..]),
    ] {
        assert_eq!(backend.r#type, kind);
        assert!(backend.options.iter().map(|option| option.name.as_str()).eq(options.iter().copied()));
        assert!(backend.options.iter().all(|option| option.value.is_none() && option.value_from.is_some()));
    }
    let settings = config.sqlite_databases.iter().chain(&config.key_value_stores).flat_map(|backend| &backend.options);
    let app = app();
    let mut used = BTreeSet::new();
    for reference in settings.chain(&app.variables).filter_map(|setting| setting.value_from.as_ref()) {
        assert_eq!(reference.secret_key_ref.name, secret.metadata.name);
        used.insert(reference.secret_key_ref.key.clone());
    }
    assert_eq!(used, secret.string_data.keys().cloned().collect(), "each key is used, and there is no other");
}

#[test]
fn readiness_asks_for_the_database_and_liveness_does_not() {
    let Checks { readiness, liveness } = app().checks;
    assert_eq!((readiness.http_get.path.as_str(), liveness.http_get.path.as_str()), ("/api/health", "/"));
    for probe in [readiness, liveness] {
        // The operator's default is one second.
        assert!(probe.timeout_seconds >= 5 && probe.timeout_seconds <= probe.period_seconds);
        assert!(probe.initial_delay_seconds > 0 && probe.failure_threshold >= 3);
    }
}

#[test]
fn autoscaling_and_the_network_policy_are_about_this_application() {
    let autoscaler: Resource<Autoscaler> = read("autoscaling.yaml");
    assert_eq!(
        (autoscaler.api_version.as_str(), autoscaler.kind.as_str()),
        ("autoscaling/v2", "HorizontalPodAutoscaler")
    );
    let target = autoscaler.spec.scale_target_ref;
    let app_name = read::<Resource<App>>("app.yaml").metadata.name;
    assert_eq!((target.api_version.as_str(), target.kind.as_str(), &target.name), ("apps/v1", "Deployment", &app_name));
    assert_eq!(autoscaler.metadata.name, app_name);
    assert!(autoscaler.spec.min_replicas >= 2 && autoscaler.spec.max_replicas > autoscaler.spec.min_replicas);
    assert!(autoscaler.spec.behavior.scale_down.stabilization_window_seconds >= 300);
    let [metric] = &autoscaler.spec.metrics[..] else { panic!("one metric") };
    assert_eq!((metric.r#type.as_str(), metric.resource.name.as_str()), ("Resource", "cpu"));
    assert_eq!(metric.resource.target.r#type, "Utilization");
    assert!((1..=100).contains(&metric.resource.target.average_utilization));
    let resources = app().resources;
    assert!(resources.requests.contains_key("cpu"), "a share of the processor time that was asked for");
    assert!(resources.limits.contains_key("memory"));

    let policy: Resource<NetworkPolicy> = read("network-policy.yaml");
    assert_eq!((policy.api_version.as_str(), policy.kind.as_str()), ("networking.k8s.io/v1", "NetworkPolicy"));
    assert_eq!(policy.metadata.name, app_name);
    assert_eq!(policy.spec.pod_selector.match_labels, app().pod_labels, "the pods that the application's labels name");
    assert_eq!(policy.spec.policy_types, ["Ingress", "Egress"]);
    // The operator has Spin listen on port 80.
    let [ingress] = &policy.spec.ingress[..] else { panic!("one way in") };
    assert!(ingress.ports.iter().all(|port| port.port == 80 && port.protocol == "TCP"));
    assert!(ingress.from.iter().all(|peer| peer.namespace_selector.is_some() && peer.pod_selector.is_none()));
    let ports: BTreeSet<_> = policy.spec.egress.iter().flat_map(|way| &way.ports).map(|port| port.port).collect();
    assert_eq!(ports, BTreeSet::from([53, 443, 6379]));
    assert!(policy.spec.egress.iter().filter(|way| way.to.is_empty()).all(|way| way.ports[0].port == 443));
}
