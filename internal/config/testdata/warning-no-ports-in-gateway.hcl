gateway {
  address = "0.0.0.0"
}
