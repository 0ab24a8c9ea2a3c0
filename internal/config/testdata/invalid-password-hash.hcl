manager "noc" {
  password_hash = "hunter2"
  devices       = ["*"]
}

manager "script" {
  password_hash = "$2a$17$WHxo9lB7op1.Cl01auWkJuQs4.96aWX1xlomMRO/P4kcZ0PoBF2nq"
  devices       = ["*"]
}

gateway {
  port = 830
}
