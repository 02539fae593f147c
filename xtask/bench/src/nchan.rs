//! nginx with its module nchan, Debian's `libnginx-mod-nchan`: what Buddy's delivery is measured beside.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Where Debian's packages put what they bring.
const NGINX: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// The command that serves nchan on a free port of loopback, and its address. Readers begin with the
/// newest message, as Buddy's do without a cursor; nothing else is set that would make it slower or faster.
pub(crate) fn command(folder: &Path) -> Result<(Command, String)> {
    for needed in [NGINX, MODULE] {
        fs::metadata(needed).with_context(|| {
            format!("{needed} is missing: as root, apt-get install --no-install-recommends nginx libnginx-mod-nchan")
        })?;
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let configuration = write_configuration(folder, port)?;
    let mut command = Command::new(NGINX);
    command.arg("-p").arg(folder).arg("-c").arg(configuration).arg("-e").arg(folder.join("error.log"));
    Ok((command, format!("http://127.0.0.1:{port}")))
}

fn write_configuration(folder: &Path, port: u16) -> Result<PathBuf> {
    let path = folder.join("nginx.conf");
    let folder = folder.display();
    let text = format!(
        r#"load_module {MODULE};
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/publish/(.+)$ {{ nchan_publisher; nchan_channel_id $1; }}
    location ~ ^/subscribe/(.+)$ {{
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }}
  }}
}}
"#
    );
    fs::write(&path, text)?;
    Ok(path)
}
