package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

// The types below are the grammar of the file. Attributes are kept as
// *hcl.Attribute instead of being decoded by gohcl, so that every check, also
// one of a single list element, can point at what it is about.

type fileSchema struct {
	StateDir *hcl.Attribute  `hcl:"state_dir,optional"`
	Callhome []callhomeBlock `hcl:"callhome,block"`
	Users    []userBlock     `hcl:"user,block"`
	Sessions []sessionBlock  `hcl:"session,block"`
	Gateway  []gatewayBlock  `hcl:"gateway,block"`
	Managers []managerBlock  `hcl:"manager,block"`
	Log      []logBlock      `hcl:"log,block"`
	Audit    []auditBlock    `hcl:"audit,block"`
}

type callhomeBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Enabled                *hcl.Attribute `hcl:"enabled,optional"`
	Address                *hcl.Attribute `hcl:"address,optional"`
	Port                   *hcl.Attribute `hcl:"port,optional"`
	TLSPort                *hcl.Attribute `hcl:"tls_port,optional"`
	Users                  *hcl.Attribute `hcl:"users,optional"`
	Trust                  *hcl.Attribute `hcl:"trust,optional"`
	Sessions               *hcl.Attribute `hcl:"sessions,optional"`
	RejectDelay            *hcl.Attribute `hcl:"reject_delay,optional"`
	FailureTTL             *hcl.Attribute `hcl:"failure_ttl,optional"`
	KeepaliveInterval      *hcl.Attribute `hcl:"keepalive_interval,optional"`
	DeadAfter              *hcl.Attribute `hcl:"dead_after,optional"`
	IdleRPC                *hcl.Attribute `hcl:"idle_rpc,optional"`
	IdleClose              *hcl.Attribute `hcl:"idle_close,optional"`
	DrainRate              *hcl.Attribute `hcl:"drain_rate,optional"`
	Liveness               *hcl.Attribute `hcl:"liveness,optional"`
	MaxHandshakes          *hcl.Attribute `hcl:"max_handshakes,optional"`
	MaxHandshakesPerSource *hcl.Attribute `hcl:"max_handshakes_per_source,optional"`
	MaxCalls               *hcl.Attribute `hcl:"max_calls,optional"`
	MaxHeld                *hcl.Attribute `hcl:"max_held,optional"`
	DeviceSecret           *hcl.Attribute `hcl:"device_secret,optional"`
	Allow                  *hcl.Attribute `hcl:"allow,optional"`
	Deny                   *hcl.Attribute `hcl:"deny,optional"`
	Proxies                *hcl.Attribute `hcl:"proxies,optional"`
	SourceBitsV4           *hcl.Attribute `hcl:"source_bits_v4,optional"`
	SourceBitsV6           *hcl.Attribute `hcl:"source_bits_v6,optional"`
	ExemptSources          *hcl.Attribute `hcl:"exempt_sources,optional"`

	UserSelect []userSelectBlock `hcl:"user_select,block"`
	Listeners  []listenerBlock   `hcl:"listener,block"`
}

type userSelectBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Command       *hcl.Attribute `hcl:"command,optional"`
	URL           *hcl.Attribute `hcl:"url,optional"`
	CA            *hcl.Attribute `hcl:"ca,optional"`
	Authorization *hcl.Attribute `hcl:"authorization,optional"`
	Timeout       *hcl.Attribute `hcl:"timeout,optional"`
	OnError       *hcl.Attribute `hcl:"on_error,optional"`
	MaxRunning    *hcl.Attribute `hcl:"max_running,optional"`
}

type listenerBlock struct {
	Name      string    `hcl:"name,label"`
	NameRange hcl.Range `hcl:"name,label_range"`
	Def       hcl.Range `hcl:",def_range"`
	Body      hcl.Body  `hcl:",body"`

	Address      *hcl.Attribute `hcl:"address,optional"`
	Port         *hcl.Attribute `hcl:"port,optional"`
	TLSPort      *hcl.Attribute `hcl:"tls_port,optional"`
	Users        *hcl.Attribute `hcl:"users,optional"`
	Trust        *hcl.Attribute `hcl:"trust,optional"`
	DeviceSecret *hcl.Attribute `hcl:"device_secret,optional"`
	Allow        *hcl.Attribute `hcl:"allow,optional"`
	Deny         *hcl.Attribute `hcl:"deny,optional"`
	Proxies      *hcl.Attribute `hcl:"proxies,optional"`
}

type userBlock struct {
	Name      string    `hcl:"name,label"`
	NameRange hcl.Range `hcl:"name,label_range"`
	Def       hcl.Range `hcl:",def_range"`
	Body      hcl.Body  `hcl:",body"`

	Username         *hcl.Attribute `hcl:"username,optional"`
	Password         *hcl.Attribute `hcl:"password,optional"`
	PrivateKey       *hcl.Attribute `hcl:"private_key,optional"`
	PrivateKeys      *hcl.Attribute `hcl:"private_keys,optional"`
	Passphrase       *hcl.Attribute `hcl:"private_key_passphrase,optional"`
	FirstUsePassword *hcl.Attribute `hcl:"first_use_password,optional"`
	LegacyAlgorithms *hcl.Attribute `hcl:"legacy_algorithms,optional"`
	HostCA           []hostCABlock  `hcl:"host_ca,block"`
	TLS              []userTLSBlock `hcl:"tls,block"`
}

type hostCABlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Keys       *hcl.Attribute `hcl:"keys,optional"`
	NameFrom   *hcl.Attribute `hcl:"name_from,optional"`
	NameDomain *hcl.Attribute `hcl:"name_domain,optional"`
}

type userTLSBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Certificate *hcl.Attribute `hcl:"certificate,optional"`
	Key         *hcl.Attribute `hcl:"key,optional"`
	CA          *hcl.Attribute `hcl:"ca,optional"`
	CRL         *hcl.Attribute `hcl:"crl,optional"`
	NameFrom    *hcl.Attribute `hcl:"name_from,optional"`
	NameDomain  *hcl.Attribute `hcl:"name_domain,optional"`
}

type sessionBlock struct {
	Name      string    `hcl:"name,label"`
	NameRange hcl.Range `hcl:"name,label_range"`
	Def       hcl.Range `hcl:",def_range"`
	Body      hcl.Body  `hcl:",body"`

	Address          *hcl.Attribute `hcl:"address,optional"`
	HostKeys         *hcl.Attribute `hcl:"host_keys,optional"`
	Certificates     *hcl.Attribute `hcl:"certificates,optional"`
	CertificateKeys  *hcl.Attribute `hcl:"certificate_keys,optional"`
	CertificateNames *hcl.Attribute `hcl:"certificate_names,optional"`
	HostPrincipals   *hcl.Attribute `hcl:"host_principals,optional"`
	DeviceID         *hcl.Attribute `hcl:"device_id,optional"`
	DeviceSecret     *hcl.Attribute `hcl:"device_secret,optional"`
	LegacyAlgorithms *hcl.Attribute `hcl:"legacy_algorithms,optional"`
	Listener         *hcl.Attribute `hcl:"listener,optional"`
	User             *hcl.Attribute `hcl:"user,optional"`
	Port             *hcl.Attribute `hcl:"port,optional"`
	TLSPort          *hcl.Attribute `hcl:"tls_port,optional"`
	Transport        *hcl.Attribute `hcl:"transport,optional"`
	Sessions         *hcl.Attribute `hcl:"sessions,optional"`
	IdleClose        *hcl.Attribute `hcl:"idle_close,optional"`
	Hello            []helloBlock   `hcl:"hello,block"`
}

type helloBlock struct {
	Def hcl.Range `hcl:",def_range"`

	Base         *hcl.Attribute `hcl:"base,optional"`
	Capabilities *hcl.Attribute `hcl:"capabilities,optional"`
}

type gatewayBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Address       *hcl.Attribute `hcl:"address,optional"`
	Port          *hcl.Attribute `hcl:"port,optional"`
	TLSPort       *hcl.Attribute `hcl:"tls_port,optional"`
	Domain        *hcl.Attribute `hcl:"domain,optional"`
	Ports         *hcl.Attribute `hcl:"ports,optional"`
	HostKeys      *hcl.Attribute `hcl:"host_keys,optional"`
	Wait          *hcl.Attribute `hcl:"wait,optional"`
	HelloTimeout  *hcl.Attribute `hcl:"hello_timeout,optional"`
	LoginTimeout  *hcl.Attribute `hcl:"login_timeout,optional"`
	StallTimeout  *hcl.Attribute `hcl:"stall_timeout,optional"`
	DrainTimeout  *hcl.Attribute `hcl:"drain_timeout,optional"`
	MaxMessage    *hcl.Attribute `hcl:"max_message,optional"`
	SpoolBudget   *hcl.Attribute `hcl:"spool_budget,optional"`
	MaxLogins     *hcl.Attribute `hcl:"max_logins,optional"`
	MaxSessions   *hcl.Attribute `hcl:"max_sessions,optional"`
	Allow         *hcl.Attribute `hcl:"allow,optional"`
	Deny          *hcl.Attribute `hcl:"deny,optional"`
	Proxies       *hcl.Attribute `hcl:"proxies,optional"`
	UserCA        *hcl.Attribute `hcl:"user_ca,optional"`
	SourceBitsV4  *hcl.Attribute `hcl:"source_bits_v4,optional"`
	SourceBitsV6  *hcl.Attribute `hcl:"source_bits_v6,optional"`
	ExemptSources *hcl.Attribute `hcl:"exempt_sources,optional"`

	TLS []serverTLSBlock `hcl:"tls,block"`
}

type serverTLSBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Certificate *hcl.Attribute    `hcl:"certificate,optional"`
	Key         *hcl.Attribute    `hcl:"key,optional"`
	ClientCA    *hcl.Attribute    `hcl:"client_ca,optional"`
	CRL         *hcl.Attribute    `hcl:"crl,optional"`
	CertToName  []certToNameBlock `hcl:"cert_to_name,block"`
	ACME        []acmeBlock       `hcl:"acme,block"`
}

type certToNameBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	Fingerprint *hcl.Attribute `hcl:"fingerprint,optional"`
	MapType     *hcl.Attribute `hcl:"map_type,optional"`
	Name        *hcl.Attribute `hcl:"name,optional"`
}

type acmeBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	CA           *hcl.Attribute `hcl:"ca,optional"`
	CARoot       *hcl.Attribute `hcl:"ca_root,optional"`
	Email        *hcl.Attribute `hcl:"email,optional"`
	Domains      *hcl.Attribute `hcl:"domains,optional"`
	HTTPPort     *hcl.Attribute `hcl:"http_port,optional"`
	AgreeToTerms *hcl.Attribute `hcl:"agree_to_terms,optional"`
}

type managerBlock struct {
	Name      string    `hcl:"name,label"`
	NameRange hcl.Range `hcl:"name,label_range"`
	Def       hcl.Range `hcl:",def_range"`
	Body      hcl.Body  `hcl:",body"`

	PasswordHash     *hcl.Attribute `hcl:"password_hash,optional"`
	Password         *hcl.Attribute `hcl:"password,optional"` // refused, with a hint
	AuthorizedKeys   *hcl.Attribute `hcl:"authorized_keys,optional"`
	Principals       *hcl.Attribute `hcl:"principals,optional"`
	CertificateNames *hcl.Attribute `hcl:"certificate_names,optional"`
	Devices          *hcl.Attribute `hcl:"devices,optional"`
	Access           *hcl.Attribute `hcl:"access,optional"`
	Operations       *hcl.Attribute `hcl:"operations,optional"`
}

type logBlock struct {
	Def hcl.Range `hcl:",def_range"`

	Level  *hcl.Attribute `hcl:"level,optional"`
	Format *hcl.Attribute `hcl:"format,optional"`
}

type auditBlock struct {
	Def  hcl.Range `hcl:",def_range"`
	Body hcl.Body  `hcl:",body"`

	File      *hcl.Attribute `hcl:"file,optional"`
	Bodies    *hcl.Attribute `hcl:"bodies,optional"`
	BodyLimit *hcl.Attribute `hcl:"body_limit,optional"`
	Redact    *hcl.Attribute `hcl:"redact,optional"`
	OnFailure *hcl.Attribute `hcl:"on_failure,optional"`
}

// secretNames are the attributes whose values are never shown. A key is named
// by its file, but who gives the key itself instead shall not see it printed.
var secretNames = map[string]bool{
	"password":               true,
	"private_key":            true,
	"private_keys":           true,
	"key":                    true,
	"private_key_passphrase": true,
	"password_hash":          true,
	"device_secret":          true,
	"authorization":          true,
	"url":                    true, // there may be a token in it
}

// publicNames are all other names of the grammar.
var publicNames = func() map[string]bool {
	names := make(map[string]bool)
	for _, block := range []any{
		fileSchema{}, callhomeBlock{}, userSelectBlock{}, listenerBlock{}, userBlock{}, hostCABlock{}, userTLSBlock{}, sessionBlock{}, helloBlock{},
		gatewayBlock{}, serverTLSBlock{}, certToNameBlock{}, acmeBlock{}, managerBlock{}, logBlock{}, auditBlock{},
	} {
		schema, _ := gohcl.ImpliedBodySchema(block)
		for _, a := range schema.Attributes {
			names[a.Name] = !secretNames[a.Name]
		}
		for _, b := range schema.Blocks {
			names[b.Type] = true
		}
	}
	return names
}()
