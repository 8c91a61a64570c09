// The operator's work as the field does it in Go: one reconciler over controller-runtime.
//
// It makes the same children from a template that the bench hands it. What is there already is
// known from the informers' cache and by a hash annotated on each child, so that a settled pass
// writes nothing; what is missing or another is applied server-side.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

const (
	manager    = client.FieldOwner("twin")
	annotation = "twin.hscjit.dev/hash"
)

var parent = schema.GroupVersionKind{Group: "hscjit.dev", Version: "v1alpha1", Kind: "HSCJit"}

type reconciler struct {
	client.Client
	template string
}

func main() {
	template := flag.String("template", "", "file with the children of one resource, as a JSON list")
	namespace := flag.String("namespace", "", "namespace to serve")
	concurrent := flag.Int("concurrent", 10, "resources that are reconciled at once")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if err := run(*template, *namespace, *concurrent); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path, namespace string, concurrent int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Cache:   cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		Client:  client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Metrics: server.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	r := &reconciler{Client: mgr.GetClient(), template: string(text)}
	kinds, err := r.kinds()
	if err != nil {
		return err
	}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	made := ctrl.NewControllerManagedBy(mgr).
		Named("twin").
		For(object(parent), changed).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrent})
	for _, kind := range kinds {
		made = made.Owns(object(kind))
	}
	if err := made.Complete(r); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

// Reconcile brings the children of one resource to what the template says, then its status.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	app := object(parent)
	if err := r.Get(ctx, request.NamespacedName, app); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if app.GetDeletionTimestamp() != nil {
		return ctrl.Result{}, nil
	}
	children, err := r.children(app)
	if err != nil {
		return ctrl.Result{}, err
	}
	for _, child := range children {
		if err := r.ensure(ctx, child); err != nil {
			return ctrl.Result{}, fmt.Errorf("%s %s: %w", child.GetKind(), child.GetName(), err)
		}
	}
	return ctrl.Result{}, r.report(ctx, app)
}

func (r *reconciler) ensure(ctx context.Context, child *unstructured.Unstructured) error {
	found := object(child.GroupVersionKind())
	err := r.Get(ctx, client.ObjectKeyFromObject(child), found)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil && found.GetAnnotations()[annotation] == child.GetAnnotations()[annotation] {
		return nil
	}
	log.FromContext(ctx).Info("Applying child", "kind", child.GetKind(), "name", child.GetName())
	wanted := client.ApplyConfigurationFromUnstructured(child)
	return r.Apply(ctx, wanted, client.ForceOwnership, manager)
}

func (r *reconciler) report(ctx context.Context, app *unstructured.Unstructured) error {
	told, _, _ := unstructured.NestedInt64(app.Object, "status", "observedGeneration")
	if told == app.GetGeneration() {
		return nil
	}
	before := app.DeepCopy()
	status := map[string]any{
		"observedGeneration": app.GetGeneration(),
		"conditions": []any{map[string]any{
			"type":               "Ready",
			"status":             "False",
			"reason":             "Progressing",
			"message":            "Waiting for the pods",
			"observedGeneration": app.GetGeneration(),
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
		}},
	}
	if err := unstructured.SetNestedMap(app.Object, status, "status"); err != nil {
		return err
	}
	return r.Status().Patch(ctx, app, client.MergeFrom(before))
}

// children fills the template in and notes each child's hash on it.
func (r *reconciler) children(app *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	text := strings.NewReplacer(
		"zz-name-zz", app.GetName(), "zz-namespace-zz", app.GetNamespace(), "zz-uid-zz", string(app.GetUID()),
	).Replace(r.template)
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	children := make([]*unstructured.Unstructured, len(raw))
	for i, one := range raw {
		child := &unstructured.Unstructured{}
		if err := child.UnmarshalJSON(one); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(one)
		annotations := child.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[annotation] = hex.EncodeToString(sum[:8])
		child.SetAnnotations(annotations)
		children[i] = child
	}
	return children, nil
}

// kinds lists what the template holds, each kind once.
func (r *reconciler) kinds() ([]schema.GroupVersionKind, error) {
	children, err := r.children(object(parent))
	if err != nil {
		return nil, err
	}
	seen := map[schema.GroupVersionKind]bool{}
	kinds := []schema.GroupVersionKind{}
	for _, child := range children {
		kind := child.GroupVersionKind()
		if !seen[kind] {
			seen[kind] = true
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

func object(kind schema.GroupVersionKind) *unstructured.Unstructured {
	made := &unstructured.Unstructured{}
	made.SetGroupVersionKind(kind)
	return made
}
