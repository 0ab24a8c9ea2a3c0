callhome {
  port = 4334
}

callhome {
  port = 4335
}

log {
}

log {
}

session "edge-1" {
  address = "192.0.2.10"
  hello {
  }
  hello {
  }
}

gateway {
}

gateway {
  port = 830
}
