// Python's signals as the question whether a long call should be given up.
#pragma once

#include "interpreter_lock.hpp"

#include <hessorbit/kernel/interruption.hpp>

namespace hessorbit::bindings {

// Whether a signal came, Ctrl-C say, whose handler raised. Only Python's main thread runs handlers.
inline bool interrupted() {
    if (!ProgramEnd::enter()) return false;
    const pybind11::gil_scoped_acquire acquire;
    ProgramEnd::entered();
    return PyErr_Occurred() || PyErr_CheckSignals() != 0;
}

// For each module once.
inline void raise_on_interruption() {
    interruption_question = &interrupted;
    ProgramEnd::watch();
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
