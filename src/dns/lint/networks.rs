//! How much of the world some networks are.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks that an SPF record lets pass.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl Networks {
    pub(super) fn add(&mut self, addr: IpAddr, prefix: Option<u8>) {
        let whole = if addr.is_ipv4() { 32 } else { 128 };
        match IpNet::new(addr, prefix.unwrap_or(whole)) {
            Ok(IpNet::V4(net)) => self.v4.push(net.trunc()),
            Ok(IpNet::V6(net)) => self.v6.push(net.trunc()),
            Err(_) => {}
        }
    }

    /// The kinds of addresses of which half or more is covered, by whichever networks.
    pub(super) fn vast(&self) -> Vec<&'static str> {
        let v4: f64 = Ipv4Net::aggregate(&self.v4).iter().map(|net| share(net.prefix_len())).sum();
        let v6: f64 = Ipv6Net::aggregate(&self.v6).iter().map(|net| share(net.prefix_len())).sum();
        let kinds = [("IPv4", v4), ("IPv6", v6)];
        kinds.into_iter().filter(|(_, share)| *share >= 0.5).map(|(kind, _)| kind).collect()
    }
}

fn share(prefix: u8) -> f64 {
    0.5_f64.powi(i32::from(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vast(networks: &[(&str, u8)]) -> Vec<&'static str> {
        let mut all = Networks::default();
        for (addr, prefix) in networks {
            all.add(addr.parse().unwrap(), Some(*prefix));
        }
        all.vast()
    }

    #[test]
    fn half_the_world_is_vast_however_it_is_written() {
        assert_eq!(vast(&[("0.0.0.0", 0)]), ["IPv4"]);
        assert_eq!(vast(&[("0.0.0.0", 1), ("128.0.0.0", 1)]), ["IPv4"]);
        assert_eq!(vast(&[("1.2.3.4", 2), ("64.0.0.0", 2)]), ["IPv4"]);
        assert_eq!(vast(&[("::", 1), ("8000::", 1), ("10.0.0.0", 8)]), ["IPv6"]);
        assert!(vast(&[("0.0.0.0", 2), ("0.0.0.0", 2), ("0.0.0.0", 3), ("::", 2)]).is_empty());
    }
}
