package config

import (
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A decoder turns attributes into typed values and collects what is wrong with
// them. Its methods leave the destination alone where the attribute is absent
// or wrong, so that defaults stay, and errors are reported once only.
type decoder struct {
	problems *Problems
	dir      string
	offline  bool
	getenv   func(string) (string, bool)
	ctx      *hcl.EvalContext
	// read are the files that the file function has read.
	read []openFile

	// userBlocks are the user blocks by name, and callhomeUserBlocks those that
	// callhome.users names or its listeners, or that the user-select hook may
	// name: what they lack shows elsewhere.
	userBlocks         map[string]userBlock
	callhomeUserBlocks []userBlock
	// listeners are those for calls by name, with errors as well; "" is the main
	// one, once a callhome block was read.
	listeners map[string]Listener
	// lists are the revocation lists that were read.
	lists []Lists
	// serverTLS is what TLS endpoints need, if the file says how managers may come
	// in over TLS, whether it has such an endpoint or not.
	serverTLS *gateway.TLSOptions
}

// item is a string of the file, and where it stands.
type item struct {
	text string
	at   hcl.Range
}

// evaluate returns the value of e as the wanted type. It is never null and
// always known when ok is true.
func (d *decoder) evaluate(e hcl.Expression, want cty.Type, whatItIs string) (v cty.Value, ok bool) {
	v, diags := e.Value(d.ctx)
	d.problems.add(d.translate(diags))
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return v, false
	}
	if v.IsNull() {
		d.problems.fail(e.Range(), "leave the attribute out to have its default", "null is not %s", whatItIs)
		return v, false
	}
	converted, err := convert.Convert(v, want)
	if err != nil {
		d.problems.fail(e.Range(), "", "this must be %s", whatItIs)
		return v, false
	}
	return converted, true
}

func (d *decoder) text(e hcl.Expression) (item, bool) {
	v, ok := d.evaluate(e, cty.String, "a string")
	if !ok {
		return item{}, false
	}
	return item{text: v.AsString(), at: e.Range()}, true
}

func (d *decoder) string(a *hcl.Attribute) (item, bool) {
	if a == nil {
		return item{}, false
	}
	return d.text(a.Expr)
}

// list returns the elements that are fine.
func (d *decoder) list(a *hcl.Attribute) []item {
	if a == nil {
		return nil
	}
	return d.elements(a, d.text)
}

func (d *decoder) elements(a *hcl.Attribute, each func(hcl.Expression) (item, bool)) (items []item) {
	exprs, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		return d.computedList(a)
	}
	for _, e := range exprs {
		if it, ok := each(e); ok {
			items = append(items, it)
		}
	}
	return items
}

// emptyList reports whether a list is absent, or written as [].
func emptyList(a *hcl.Attribute) bool {
	if a == nil {
		return true
	}
	exprs, diags := hcl.ExprList(a.Expr)
	return !diags.HasErrors() && len(exprs) == 0
}

// computedList is for lists that are no literal [...], such as a for expression.
func (d *decoder) computedList(a *hcl.Attribute) (items []item) {
	v, ok := d.evaluate(a.Expr, cty.List(cty.String), "a list of strings")
	if !ok {
		return nil
	}
	for _, element := range v.AsValueSlice() {
		if !element.IsNull() {
			items = append(items, item{text: element.AsString(), at: a.Expr.Range()})
		}
	}
	return items
}

func (d *decoder) bool(a *hcl.Attribute, to *bool) {
	if a == nil {
		return
	}
	if v, ok := d.evaluate(a.Expr, cty.Bool, "true or false"); ok {
		*to = v.True()
	}
}

func (d *decoder) int(a *hcl.Attribute, least, most int, to *int) {
	if a == nil {
		return
	}
	v, ok := d.evaluate(a.Expr, cty.Number, "a number")
	if !ok {
		return
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact || n < int64(least) || n > int64(most) {
		d.problems.fail(a.Expr.Range(), "", "%s must be a whole number from %d to %d", a.Name, least, most)
		return
	}
	*to = int(n)
}

func (d *decoder) port(a *hcl.Attribute, least int, to *uint16) {
	n := int(*to)
	d.int(a, least, 65535, &n)
	*to = uint16(n)
}

// duration reads a Go duration between least and most.
func (d *decoder) duration(a *hcl.Attribute, least, most time.Duration, to *time.Duration) {
	s, ok := d.string(a)
	if !ok {
		return
	}
	v, err := time.ParseDuration(s.text)
	switch {
	case err != nil:
		d.problems.fail(s.at, `a duration is a number with a unit, as in "500ms", "15s", "4m" or "1h30m"`, "%q is not a duration", s.text)
	case v < least || v > most:
		d.problems.fail(s.at, "", "%s must be from %s to %s", a.Name, shortDuration(least), shortDuration(most))
	default:
		*to = v
	}
}

// durationOrNever is duration for options where "0s" means not at all, which
// the option structs express as a negative value.
func (d *decoder) durationOrNever(a *hcl.Attribute, most time.Duration, to *time.Duration) {
	v := time.Duration(-1)
	d.duration(a, 0, most, &v)
	if a == nil || v < 0 {
		return
	}
	if *to = v; v == 0 {
		*to = -1
	}
}

var zeroUnits = regexp.MustCompile(`(\D)(0m)?0s$`)

// shortDuration writes 1h instead of 1h0m0s.
func shortDuration(v time.Duration) string {
	if v == 0 {
		return "0s"
	}
	return zeroUnits.ReplaceAllString(v.String(), "$1")
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,15}) ?(B|KiB|MiB|GiB)?$`)

// size reads a number of bytes.
func (d *decoder) size(a *hcl.Attribute, least, most int64, to *int64) {
	s, ok := d.string(a)
	if !ok {
		return
	}
	m := sizePattern.FindStringSubmatch(s.text)
	if m == nil {
		d.problems.fail(s.at, `a size is a number of bytes or has a unit, as in "64KiB", "256MiB" or "1GiB"`, "%q is not a size", s.text)
		return
	}
	shift := map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	n, _ := strconv.ParseInt(m[1], 10, 64)
	if n > most>>shift || n<<shift < least {
		d.problems.fail(s.at, "", "%s must be from %s to %s", a.Name, shortSize(least), shortSize(most))
		return
	}
	*to = n << shift
}

func shortSize(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if shift := 30 - 10*i; n >= 1<<shift {
			return fmt.Sprintf("%d%s", n>>shift, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// choice reads one of a few words.
func (d *decoder) choice(a *hcl.Attribute, words []string, to *string) {
	s, ok := d.string(a)
	if !ok {
		return
	}
	if !slices.Contains(words, s.text) {
		d.problems.fail(s.at, didYouMean(s.text, words), "%s must be %s", a.Name, alternatives(words))
		return
	}
	*to = s.text
}

func alternatives(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// listenAddress reads the address of a listener.
func (d *decoder) listenAddress(a *hcl.Attribute, to *netip.Addr) {
	s, ok := d.string(a)
	if !ok {
		return
	}
	addr, err := netip.ParseAddr(s.text)
	if err != nil {
		d.problems.fail(s.at, `give an IP address of this machine; "0.0.0.0" is every one of IPv4, "::" every one of both`, "%q is not an IP address", s.text)
		return
	}
	*to = addr.Unmap()
}

// secret reads a value that must not be shown. It warns where it stands in the
// file itself, or comes from a file that everyone can read. One newline at its
// end is not part of it: editors and echo put one there.
func (d *decoder) secret(e hcl.Expression) (item, bool) {
	before := len(d.read)
	s, ok := d.text(e)
	if !ok {
		return item{}, false
	}
	for _, f := range d.read[before:] {
		d.warnExposed(e.Range(), f)
	}
	if isLiteral(e) {
		d.problems.warn(s.at, `read it with env("NAME") or file("path"), so that the file can be shown and kept in version control`, "a secret is written in the file")
	}
	s.text = strings.TrimSuffix(strings.TrimSuffix(s.text, "\n"), "\r")
	return s, true
}

// isLiteral reports whether an expression calls nothing, and so comes from the
// file alone.
func isLiteral(e hcl.Expression) bool {
	node, ok := e.(hclsyntax.Node)
	if !ok {
		return false
	}
	literal := true
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if _, call := n.(*hclsyntax.FunctionCallExpr); call {
			literal = false
		}
		return nil
	})
	return literal
}
