session "edge-1" {
  address = "192.0.2.10"
  hello {
    base         = ["1.2"]
    capabilities = ["notification", "urn:ietf:params:netconf:base:1.0"]
  }
}

gateway {
  port = 830
}
