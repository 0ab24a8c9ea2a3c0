session "edge-1" {
  address = "192.0.2.10/24"
}

session "edge-2" {
  address = "edge-2.example.net"
}

session "edge-3" {
  address = "fe80::1%eth0"
}

gateway {
  port = 830
}
