package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/types"
	sigsyaml "sigs.k8s.io/yaml"
)

// kinds are what our manifests consist of.
func kinds() map[string]any {
	return map[string]any{
		"v1 Namespace":                                  &corev1.Namespace{},
		"v1 ConfigMap":                                  &corev1.ConfigMap{},
		"v1 Secret":                                     &corev1.Secret{},
		"v1 Service":                                    &corev1.Service{},
		"apps/v1 Deployment":                            &appsv1.Deployment{},
		"batch/v1 Job":                                  &batchv1.Job{},
		"policy/v1 PodDisruptionBudget":                 &policyv1.PodDisruptionBudget{},
		"autoscaling/v2 HorizontalPodAutoscaler":        &autoscalingv2.HorizontalPodAutoscaler{},
		"networking.k8s.io/v1 NetworkPolicy":            &networkingv1.NetworkPolicy{},
		"kustomize.config.k8s.io/v1beta1 Kustomization": &types.Kustomization{},
	}
}

// checkManifest reads every object of a file strictly: an unknown or doubled field, or
// a value of the wrong type, is an error, as the API server would have it.
func checkManifest(file string) (objects int, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	documents := yaml.NewYAMLReader(newReader(text))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return objects, err
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		var head struct{ APIVersion, Kind string }
		if err := sigsyaml.Unmarshal(document, &head); err != nil {
			return objects, err
		}
		if head.Kind == "" {
			continue // comments alone
		}
		target, known := kinds()[head.APIVersion+" "+head.Kind]
		if !known {
			return objects, fmt.Errorf("%s %s is not known here: add its type", head.APIVersion, head.Kind)
		}
		if err := sigsyaml.UnmarshalStrict(document, target); err != nil {
			return objects, fmt.Errorf("%s: %w", head.Kind, err)
		}
		objects++
	}
}
