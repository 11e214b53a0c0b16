// Classes without values do not exist: `cls.__new__(cls)`, which copying calls too, initialises, and so refuses.
#pragma once

#include "bindings.hpp"

namespace hessorbit::bindings {

// pybind11 gives an instance that was never initialised memory that nobody wrote to. An instance that was, is left alone
// by the call of __init__ that follows.
template <class Class>
void never_empty(Class& type) {
    PyTypeObject* known = reinterpret_cast<PyTypeObject*>(type.ptr());
    type.def_static("__new__", [known](const py::type& asked, const py::args& positional, const py::kwargs& named) {
        if (reinterpret_cast<PyTypeObject*>(asked.ptr()) != known) throw py::type_error("expected the class itself");
        auto self = py::reinterpret_steal<py::object>(py::detail::make_new_instance(known));
        asked.attr("__init__")(self, *positional, **named);
        return self;
    });
}

}  // namespace hessorbit::bindings
