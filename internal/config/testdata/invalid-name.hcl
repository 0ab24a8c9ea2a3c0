session "Edge-1" {
  address = "192.0.2.10"
}

session "edge_2" {
  address = "192.0.2.11"
}

session "" {
  address = "192.0.2.12"
}

gateway {
  port = 830
}
