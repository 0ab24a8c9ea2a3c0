// Package audit writes down what managers do: a line of JSON for each login
// that was refused, each session and each request, and the messages of one
// device, for people. What is secret is in neither.
package audit
