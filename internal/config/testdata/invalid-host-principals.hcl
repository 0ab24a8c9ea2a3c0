user "certified" {
  username = "netconf"
  password = env("PASSWORD")

  host_ca {
    keys = [file("keys/plain.pub")]
  }
}

user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}

callhome {
  users = ["fleet"]
}

session "edge-1" {
  host_principals = ["edge-1.example"]
}

session "edge-2" {
  host_principals = ["edge-2.example"]
  user            = "fleet"
}

session "edge-3" {
  host_principals = ["EDGE-2.example", "", "edge-3.example"]
  user            = "certified"
}

session "edge-4" {
  host_principals = []
}

session "edge-5" {
  transport       = "tls"
  address         = "192.0.2.5"
  host_principals = ["edge-5.example"]
  user            = "certified"
}

gateway {
  port = 830
}
