// Puts NetworkPolicies into effect on a node that is built here: kube-router's firewall, and of
// kube-router nothing else. Its whole program is mostly a BGP router.
package main

import (
	"log"
	"os"
	"sync"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

func main() {
	account, err := rest.InClusterConfig()
	must(err)
	client, err := kubernetes.NewForConfig(account)
	must(err)
	config := options.NewKubeRouterConfig()
	config.EnableIPv4 = true
	config.HostnameOverride = os.Getenv("NODE_NAME")

	forever := make(chan struct{})
	made := informers.NewSharedInformerFactory(client, 0)
	pods := made.Core().V1().Pods().Informer()
	namespaces := made.Core().V1().Namespaces().Informer()
	policies := made.Networking().V1().NetworkPolicies().Informer()
	made.Start(forever)
	made.WaitForCacheSync(forever)

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	must(err)
	firewall, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &sync.Mutex{}, tables, sets)
	must(err)
	tell(pods, firewall.PodEventHandler)
	tell(namespaces, firewall.NamespaceEventHandler)
	tell(policies, firewall.NetworkPolicyEventHandler)

	// It waits until somebody hears that it lives.
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats {
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	firewall.Run(beats, forever, &running)
}

func tell(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) {
	_, err := informer.AddEventHandler(handler)
	must(err)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
