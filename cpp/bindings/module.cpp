// The extension module of one instruction level.
#include "bindings.hpp"

#include <Eigen/Core>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace {

namespace py = pybind11;

py::dict config() {
    py::dict result;
    result["version"] = HESSORBIT_VERSION;
    result["level"] = HESSORBIT_LEVEL;
#if defined(__clang__)
    result["compiler"] = "clang " __clang_version__;
#elif defined(__GNUC__)
    result["compiler"] = "gcc " __VERSION__;
#else
    result["compiler"] = "unknown";
#endif
    result["eigen"] = std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
                      std::to_string(EIGEN_MINOR_VERSION);
#if defined(_OPENMP)
    result["openmp"] = _OPENMP;
#else
    result["openmp"] = py::none();
#endif
    result["threads"] = hessorbit::max_threads();
    return result;
}

}  // namespace

PYBIND11_MODULE(HESSORBIT_MODULE, module, py::mod_gil_not_used()) {
    module.doc() = "Exact derivatives of small networks, compiled for one instruction level.";
    module.def("config", &config);
    register_activation(module);
    register_objective(module);
    register_orbit(module);
    register_minima(module);
}
