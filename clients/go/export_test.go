package hal9

// Keyed is for the test that holds it to the document.
var Keyed = keyed
