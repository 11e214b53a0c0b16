// Python's signals as the question whether a long call should be given up.
#pragma once

#include <hessorbit/kernel/interruption.hpp>

#include <pybind11/pybind11.h>

namespace hessorbit::bindings {

// Whether a signal came, Ctrl-C say, whose handler raised. Only Python's main thread runs handlers.
inline bool interrupted() {
    const pybind11::gil_scoped_acquire acquire;
    return PyErr_Occurred() || PyErr_CheckSignals() != 0;
}

// For each module once.
inline void raise_on_interruption() {
    interruption_question = &interrupted;
    pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
        try {
            if (thrown) std::rethrow_exception(thrown);
        } catch (const Interrupted&) {
            // What the handler raised is set already.
            if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
        }
    });
}

}  // namespace hessorbit::bindings
