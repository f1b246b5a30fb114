package apifuzz

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// object is an object of the document.
type object = map[string]any

// documentURL names the document in references; nothing is fetched.
const documentURL = "https://hal9.invalid/openapi.json"

// API is what the document tells: operations to ask for, and schemas to hold answers to.
type API struct {
	operations []*operation
	document   object
	compiler   *jsonschema.Compiler
	schemas    map[string]*jsonschema.Schema // by pointer
}

// operation is one method of one path.
type operation struct {
	id, method, path string
	pointer          string // of the operation in the document
	parameters       []parameter
	body             object // the schema of the body, nil without one
	bodyType         string
	examples         []any
	responses        object
}

type parameter struct {
	name, in string
	required bool
	schema   object
}

// Parse reads a document of OpenAPI 3.1.
func Parse(document []byte) (*API, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	root, _ := parsed.(object)
	a := &API{document: root, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	a.compiler.DefaultDraft(jsonschema.Draft2020)
	a.compiler.AssertFormat()
	if err := a.compiler.AddResource(documentURL, parsed); err != nil {
		return nil, fmt.Errorf("take the document: %w", err)
	}
	for path, item := range sorted(objectAt(root, "paths")) {
		for method, op := range sorted(item.(object)) { //nolint:forcetypeassert // as OpenAPI has it
			a.operations = append(a.operations, a.operation(method, path, op.(object))) //nolint:forcetypeassert // as OpenAPI has it
		}
	}
	if len(a.operations) == 0 {
		return nil, errors.New("the document has no operations")
	}
	return a, nil
}

func (a *API) operation(method, path string, op object) *operation {
	o := &operation{
		id: textAt(op, "operationId"), method: strings.ToUpper(method), path: path,
		pointer: "/paths/" + escapePointer(path) + "/" + method, responses: objectAt(op, "responses"),
	}
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		p := p.(object) //nolint:forcetypeassert // as OpenAPI has it
		required, _ := p["required"].(bool)
		o.parameters = append(o.parameters, parameter{textAt(p, "name"), textAt(p, "in"), required, objectAt(p, "schema")})
	}
	for mediaType, content := range sorted(objectAt(objectAt(op, "requestBody"), "content")) {
		content := content.(object) //nolint:forcetypeassert // as OpenAPI has it
		o.body, o.bodyType = objectAt(content, "schema"), mediaType
		if example, ok := content["example"]; ok {
			o.examples = append(o.examples, example)
		}
	}
	return o
}

// resolve follows the schema's reference, if it is one.
func (a *API) resolve(schema object) object {
	for {
		ref := textAt(schema, "$ref")
		if ref == "" {
			return schema
		}
		schema = a.at(strings.TrimPrefix(ref, "#"))
	}
}

// at finds an object of the document by its pointer.
func (a *API) at(pointer string) object {
	o := a.document
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		o = objectAt(o, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return o
}

// check tells what is wrong with an answer by the document, "" if nothing is.
func (a *API) check(op *operation, answer *Answer) string {
	pointer := op.pointer + "/responses/" + strconv.Itoa(answer.Status)
	response, ok := op.responses[strconv.Itoa(answer.Status)].(object)
	if !ok {
		return fmt.Sprintf("the document lists no answer %d", answer.Status)
	}
	if ref := textAt(response, "$ref"); ref != "" {
		pointer = strings.TrimPrefix(ref, "#")
		response = a.at(pointer)
	}
	content := objectAt(response, "content")
	if len(content) == 0 {
		if len(answer.Body) > 0 {
			return "the document describes no body"
		}
		return ""
	}
	mediaType, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if _, ok := content[mediaType]; !ok {
		return fmt.Sprintf("the document lists no Content-Type %q for %d", mediaType, answer.Status)
	}
	if !strings.HasSuffix(mediaType, "json") {
		return ""
	}
	if answer.value == nil {
		return "the body is no JSON"
	}
	schema, err := a.schema(pointer + "/content/" + escapePointer(mediaType) + "/schema")
	if err != nil {
		return err.Error()
	}
	if err := schema.Validate(answer.value); err != nil {
		return err.Error()
	}
	return misplaced(answer)
}

// places are where in a request a fault can be.
var places = regexp.MustCompile(`^(?:body|query|path|header)(?:$|[.\[])`)

// misplaced tells which fault of a problem document is told by something that is no place
// in a request, "" for none.
func misplaced(answer *Answer) string {
	problem, _ := answer.value.(object)
	if answer.Status < http.StatusBadRequest || problem == nil {
		return ""
	}
	faults, _ := problem["errors"].([]any)
	for _, f := range faults {
		if o, ok := f.(object); ok && !places.MatchString(textAt(o, "location")) {
			return fmt.Sprintf("a fault is told by %q, which is no place in a request", textAt(o, "location"))
		}
	}
	return ""
}

func (a *API) schema(pointer string) (*jsonschema.Schema, error) {
	if s, ok := a.schemas[pointer]; ok {
		return s, nil
	}
	s, err := a.compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		return nil, fmt.Errorf("compile the schema at %s: %w", pointer, err)
	}
	a.schemas[pointer] = s
	return s, nil
}

func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func objectAt(o object, name string) object {
	v, _ := o[name].(object)
	return v
}

func textAt(o object, name string) string {
	v, _ := o[name].(string)
	return v
}

// sorted is an object's members in the order of their names: runs must repeat.
func sorted[V any](m map[string]V) func(yield func(string, V) bool) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return func(yield func(string, V) bool) {
		for _, name := range names {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
