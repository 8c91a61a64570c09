// Judges connections by NetworkPolicies with the engine of cyclonus.
//
// Standard input is a JSON array of cases, each with policies, ends and questions; standard output
// is an array of the same length, with one verdict for each question. An unknown field, an end that
// does not exist or a policy that no API server would take ends the program with exit code 1.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

type testCase struct {
	Policies  []*networking.NetworkPolicy `json:"policies"`
	Ends      map[string]end              `json:"ends"`
	Questions []question                  `json:"questions"`
}

// end is a pod, or without a namespace an address outside of the cluster.
type end struct {
	Address         string            `json:"address"`
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	Labels          map[string]string `json:"labels"`
	PortNames       map[int]string    `json:"portNames"`
}

type question struct {
	Client   string        `json:"client"`
	Server   string        `json:"server"`
	Port     int           `json:"port"`
	Protocol core.Protocol `json:"protocol"`
}

// verdict tells which side closes the connection; both open means that it is allowed.
type verdict struct {
	Egress  bool `json:"egress"`
	Ingress bool `json:"ingress"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var cases []testCase
	input := json.NewDecoder(os.Stdin)
	input.DisallowUnknownFields()
	if err := input.Decode(&cases); err != nil {
		return fmt.Errorf("the question is not understood: %w", err)
	}
	answers := make([][]verdict, len(cases))
	for number, one := range cases {
		answer, err := judge(one)
		if err != nil {
			return fmt.Errorf("case %d: %w", number, err)
		}
		answers[number] = answer
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func judge(one testCase) (verdicts []verdict, err error) {
	defer func() {
		if cause := recover(); cause != nil { // the engine's word for a policy that can't be
			err = fmt.Errorf("%v", cause)
		}
	}()
	policy := matcher.BuildNetworkPolicies(false, one.Policies)
	verdicts = make([]verdict, 0, len(one.Questions))
	for _, asked := range one.Questions {
		client, known := one.Ends[asked.Client]
		if !known {
			return nil, fmt.Errorf("no end is named %q", asked.Client)
		}
		server, known := one.Ends[asked.Server]
		if !known {
			return nil, fmt.Errorf("no end is named %q", asked.Server)
		}
		result := policy.IsTrafficAllowed(&matcher.Traffic{
			Source:           client.peer(),
			Destination:      server.peer(),
			ResolvedPort:     asked.Port,
			ResolvedPortName: server.PortNames[asked.Port],
			Protocol:         asked.Protocol,
		})
		verdicts = append(verdicts, verdict{result.Egress.IsAllowed(), result.Ingress.IsAllowed()})
	}
	return verdicts, nil
}

func (e end) peer() *matcher.TrafficPeer {
	peer := &matcher.TrafficPeer{IP: e.Address}
	if e.Namespace != "" {
		peer.Internal = &matcher.InternalPeer{
			Namespace:       e.Namespace,
			NamespaceLabels: e.NamespaceLabels,
			PodLabels:       e.Labels,
		}
	}
	return peer
}
