//! HTTPS: the certificate is read again when its files change, and a client may prove by a certificate who it
//! is.

use forewarn_tests::cli::{asked, file};
use forewarn_tests::raw;
use forewarn_tests::site::{Server, Site, eventually};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Client, ClientBuilder, Identity};

/// Who issues certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    /// Writes a new certificate of the server.
    fn serve(&self, site: &Site) {
        let (cert, key) = self.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        site.write("server.pem", &cert);
        site.write("server.key", &key);
    }

    /// A client that believes this authority.
    fn client(&self) -> ClientBuilder {
        let root = Certificate::from_pem(self.pem.as_bytes()).expect("a certificate");
        Client::builder().no_proxy().tls_certs_only([root])
    }

    /// Whether a new connection finds a certificate of this authority.
    async fn is_believed(&self, server: &Server) -> bool {
        let client = self.client().build().expect("a client");
        match client.get(format!("{}/healthz", server.url)).send().await {
            Ok(response) => response.status() == 200,
            Err(_) => false,
        }
    }
}

fn settings(site: &Site) -> String {
    let folder = site.path().display();
    format!(
        "tls: {{ cert: {folder}/server.pem, key: {folder}/server.key, client_ca: {folder}/gateways.pem }}\n"
    )
}

#[tokio::test]
async fn a_new_certificate_is_in_force_by_itself_and_a_broken_one_never_is() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let mut site = Site::new();
    site.settings = settings(&site);
    let root = file(&site, "first.pem", &first.pem);
    file(&site, "gateways.pem", &first.pem);
    first.serve(&site);
    let server = site.launch().await;
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    assert!(first.is_believed(&server).await && !second.is_believed(&server).await);
    // Who speaks no TLS is not understood, and harms nothing.
    let mut plain = raw::send(&server, &raw::get(&server, "/healthz")).await;
    assert_ne!(raw::status(&mut plain).await, Some(200));

    // The commands believe the system's authorities, or those that they are given.
    let complaint = asked(&server, &["alert", "list"]).await.complaint(2);
    assert!(complaint.contains("certificate"), "{complaint}");
    let _list = asked(&server, &["alert", "list", "--ca", &root]).await.with_code(0);
    let missing = asked(&server, &["alert", "list", "--ca", "/nowhere.pem"]).await.complaint(2);
    assert!(missing.contains("cannot read /nowhere.pem"), "{missing}");

    second.serve(&site);
    eventually("the new certificate", async || second.is_believed(&server).await).await;
    assert!(!first.is_believed(&server).await);

    site.write("server.pem", "no certificate");
    let client = second.client().build().expect("a client");
    let page = async |path: &str| {
        let response = client.get(format!("{}{path}", server.url)).send().await.expect("an answer");
        response.text().await.expect("a body")
    };
    eventually("a word about it", async || page("/metrics").await.contains("\nforewarn_tls_refused 1\n"))
        .await;
    let ready = page("/readyz").await;
    assert!(
        ready.contains("the certificate before stays in force") && ready.contains("server.pem"),
        "{ready}"
    );
    assert!(second.is_believed(&server).await);
    first.serve(&site);
    eventually("the next certificate", async || first.is_believed(&server).await).await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn a_gateway_proves_by_a_certificate_who_it_is() {
    let (plant, stranger) = (Authority::new("plant"), Authority::new("stranger"));
    let mut site = Site::new();
    site.settings = settings(&site);
    file(&site, "gateways.pem", &plant.pem);
    plant.serve(&site);
    let server = site.launch().await;
    let asks_as = async |authority: &Authority| {
        let (cert, key) = authority.issue("gateway-7", ExtendedKeyUsagePurpose::ClientAuth);
        let identity = Identity::from_pem(format!("{cert}{key}").as_bytes()).expect("an identity");
        let client = plant.client().identity(identity).build().expect("a client");
        client.get(format!("{}/healthz", server.url)).send().await.ok().map(|answer| answer.status().as_u16())
    };
    assert_eq!(asks_as(&plant).await, Some(200));
    assert_eq!(asks_as(&stranger).await, None, "a certificate of another authority is refused");
    assert!(plant.is_believed(&server).await, "a client without a certificate may ask");
}

#[tokio::test]
async fn a_server_whose_certificate_cannot_be_read_does_not_start() {
    let mut site = Site::new();
    site.settings = settings(&site);
    let ended = site.try_launch().await.err().expect("it does not start");
    assert!(!ended.success());
    assert!(site.log().contains("cannot read") && site.log().contains("server.pem"), "{}", site.log());
}
