// The nearest global minimum of each of a batch of students.
#include "classes.hpp"
#include "names.hpp"
#include "threads.hpp"

#include <hessorbit/minima.hpp>

#include <pybind11/native_enum.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>

namespace hessorbit::bindings {

namespace {

using namespace hessorbit::minima;

using Doubles = Array<double>;

using Integers = py::array_t<std::int64_t, py::array::c_style>;

constexpr std::array<std::pair<const char*, Constants>, 3> constants_names{
    {{"none", Constants::none}, {"fixed", Constants::fixed}, {"free", Constants::free}}};
constexpr std::array<std::pair<const char*, Off>, 3> off_names{
    {{"never", Off::never}, {"zero", Off::zero}, {"half_line", Off::half_line}}};

CopyTraits copy_traits(const std::string& name) {
    for (const CopyTraits& copies : copy_table)
        if (name == copies.name) return copies;
    throw py::value_error("copies: \"" + name + "\" is not in the table");
}

Matrix<double> matrix(const Doubles& array) {
    return Eigen::Map<const Matrix<double>>(array.data(), array.shape(0), array.shape(1));
}

// incoming (B, m, D), outgoing (B, m, K), output (B, K)
std::vector<Weights> weights(const Doubles& incoming, const Doubles& outgoing, const Doubles& output) {
    const Index m = incoming.shape(1), inputs = incoming.shape(2), outputs = outgoing.shape(2);
    std::vector<Weights> result(incoming.shape(0));
    for (Index b = 0; b < incoming.shape(0); ++b)
        result[b] = {Eigen::Map<const Matrix<double>>(incoming.data() + b * m * inputs, m, inputs),
                     Eigen::Map<const Matrix<double>>(outgoing.data() + b * m * outputs, m, outputs),
                     Eigen::Map<const minima::Vector>(output.data() + b * outputs, outputs)};
    return result;
}

void check_finite(std::initializer_list<const Doubles*> arrays) {
    for (const Doubles* each : arrays)
        require(std::all_of(each->data(), each->data() + each->size(), [](double x) { return std::isfinite(x); }),
                "teacher and students: expected finite weights");
}

Geometry geometry(const Doubles& incoming, const Doubles& outgoing, const std::string& copies, double mirror,
                  double multiplier, bool hidden_bias, bool output_bias, const std::string& constants,
                  const std::string& off, const std::string& name, double parameter) {
    check_finite({&incoming, &outgoing});
    require(std::isfinite(mirror) && std::isfinite(multiplier) && std::isfinite(parameter),
            "mirror, multiplier and parameter: expected finite numbers");
    if (incoming.ndim() != 2 || outgoing.ndim() != 2 || outgoing.shape(0) != incoming.shape(0) ||
        incoming.shape(0) < 1 || incoming.shape(1) < 1 + hidden_bias || outgoing.shape(1) < 1)
        throw py::value_error("teacher: expected incoming (r, D) and outgoing (r, K) with r, D, K at least 1");
    Geometry result{matrix(incoming),
                    matrix(outgoing),
                    copy_traits(copies),
                    multiplier * mirror,
                    hidden_bias,
                    output_bias,
                    named(constants_names, constants, "constants"),
                    named(off_names, off, "off"),
                    std::nullopt};
    if (result.constants != Constants::none)
        result.bias.emplace(activation_named(name, parameter), multiplier, result.constants == Constants::fixed);
    return result;
}

// incoming (B, m, D), outgoing (B, m, K), output (B, K), m at least `fewest`.
void check_students(const Geometry& geometry, const Doubles& incoming, const Doubles& outgoing, const Doubles& output,
                    Index fewest) {
    if (incoming.ndim() != 3 || outgoing.ndim() != 3 || output.ndim() != 2 ||
        incoming.shape(2) != geometry.incoming.cols() || outgoing.shape(2) != geometry.outgoing.cols() ||
        incoming.shape(1) < fewest || outgoing.shape(1) != incoming.shape(1) ||
        outgoing.shape(0) != incoming.shape(0) || output.shape(0) != incoming.shape(0) ||
        output.shape(1) != outgoing.shape(2))
        throw py::value_error(
            "students: expected incoming (B, m, D), outgoing (B, m, K) and output (B, K) that fit the "
            "teacher, m at least its number of neurons");
}

py::dict nearest_minima(const Geometry& geometry, const Doubles& incoming, const Doubles& outgoing,
                        const Doubles& output, double gap_tolerance, std::int64_t max_nodes, double time_limit,
                        int threads) {
    check_students(geometry, incoming, outgoing, output, geometry.incoming.rows());
    check_finite({&incoming, &outgoing, &output});
    require(gap_tolerance >= 0 && time_limit >= 0 && max_nodes >= 0,
            "gap_tolerance, max_nodes and time_limit: expected numbers that are not negative");
    const int team = thread_count(threads);
    const std::vector<Weights> starts = weights(incoming, outgoing, output);
    std::vector<Found> found;
    {
        const LockReleased released;
        found = nearest(geometry, starts, {gap_tolerance, max_nodes, time_limit, &should_stop}, team);
    }
    const Index batch = incoming.shape(0), m = incoming.shape(1), outputs = outgoing.shape(2);
    Doubles result_incoming({batch, m, static_cast<Index>(incoming.shape(2))}), result_outgoing({batch, m, outputs}),
        result_output({batch, outputs}), scale({batch, m}), distance(batch), lower(batch);
    Integers teacher({batch, m}), group({batch, m}), nodes(batch);
    for (Index b = 0; b < batch; ++b) {
        const auto& [minimum, best, bound, count] = found[b];
        std::copy_n(minimum.weights.incoming.data(), minimum.weights.incoming.size(),
                    result_incoming.mutable_data(b, 0, 0));
        std::copy_n(minimum.weights.outgoing.data(), minimum.weights.outgoing.size(),
                    result_outgoing.mutable_data(b, 0, 0));
        std::copy_n(minimum.weights.output.data(), outputs, result_output.mutable_data(b, 0));
        std::copy_n(minimum.t.data(), m, scale.mutable_data(b, 0));
        std::copy_n(minimum.teacher.data(), m, teacher.mutable_data(b, 0));
        std::copy_n(minimum.group.data(), m, group.mutable_data(b, 0));
        distance.mutable_at(b) = best;
        lower.mutable_at(b) = bound;
        nodes.mutable_at(b) = count;
    }
    py::dict result;
    result["incoming"] = result_incoming;
    result["outgoing"] = result_outgoing;
    result["output"] = result_output;
    result["teacher"] = teacher;
    result["group"] = group;
    result["scale"] = scale;
    result["distance"] = distance;
    result["lower_bound"] = lower;
    result["nodes"] = nodes;
    return result;
}

// Of each of B students, how far it is from the piece of its own: teacher, group and scale (B, m).
Doubles violations(const Geometry& geometry, const Doubles& incoming, const Doubles& outgoing, const Doubles& output,
                   const Integers& teacher, const Integers& group, const Doubles& scale) {
    check_students(geometry, incoming, outgoing, output, 1);
    const Index batch = incoming.shape(0), m = incoming.shape(1);
    const auto fits = [&](const auto& array) {
        return array.ndim() == 2 && array.shape(0) == batch && array.shape(1) == m;
    };
    if (!fits(teacher) || !fits(group) || !fits(scale))
        throw py::value_error("piece: expected teacher, group and scale of shape (B, m)");
    const std::int64_t first_role = static_cast<int>(geometry.bias ? NeuronRole::constant : NeuronRole::off);
    for (Index i = 0; i < batch * m; ++i)
        if (teacher.data()[i] < first_role || teacher.data()[i] >= geometry.incoming.rows() || group.data()[i] < -1 ||
            group.data()[i] >= m)
            throw py::value_error("piece: the role of a neuron is not one that this teacher has");
    const std::vector<Weights> points = weights(incoming, outgoing, output);
    Doubles result(batch);
    for (Index b = 0; b < batch; ++b) {
        const Piece piece{{teacher.data(b, 0), teacher.data(b, 0) + m},
                          {group.data(b, 0), group.data(b, 0) + m},
                          {scale.data(b, 0), scale.data(b, 0) + m}};
        result.mutable_at(b) = violation(geometry, points[b], piece);
    }
    return result;
}

constexpr const char* neuron_role_doc = R"(A `NeuronRole` says what a neuron does that copies no teacher neuron.

In `NearestMinimum.assignment`, where a copy has the number of its teacher neuron. A neuron is silent if its outgoing
weights are 0 or it is in a zero group; off if its output is 0 for every input; constant if its incoming weights are 0.

Examples
--------
>>> from hessorbit.minima import NeuronRole
>>> list(NeuronRole)
[<NeuronRole.silent: -1>, <NeuronRole.off: -2>, <NeuronRole.constant: -3>]
)";

}  // namespace

void register_minima(py::module_& m) {
    py::native_enum<NeuronRole>(m, "NeuronRole", "enum.IntEnum", neuron_role_doc)
        .value("silent", NeuronRole::silent)
        .value("off", NeuronRole::off)
        .value("constant", NeuronRole::constant)
        .finalize();

    py::dict pieces;
    for (const CopyTraits& copies : copy_table) pieces[py::str(copies.name)] = copies.pieces;
    m.attr("copy_pieces") = pieces;

    py::class_<Geometry> type(m, "MinimaGeometry", py::is_final());
    type.def(py::init(&geometry), py::arg("incoming").noconvert(), py::arg("outgoing").noconvert(), py::arg("copies"),
             py::arg("mirror"), py::arg("multiplier"), py::arg("hidden_bias"), py::arg("output_bias"),
             py::arg("constants"), py::arg("off"), py::arg("activation"), py::arg("parameter"));
    never_empty(type);

    m.def("nearest_minima", &nearest_minima, py::arg("geometry"), py::arg("incoming").noconvert(),
          py::arg("outgoing").noconvert(), py::arg("output").noconvert(), py::arg("gap_tolerance"),
          py::arg("max_nodes"), py::arg("time_limit"), py::arg("threads"));
    m.def("piece_violations", &violations, py::arg("geometry"), py::arg("incoming").noconvert(),
          py::arg("outgoing").noconvert(), py::arg("output").noconvert(), py::arg("teacher").noconvert(),
          py::arg("group").noconvert(), py::arg("scale").noconvert());
}

}  // namespace hessorbit::bindings
